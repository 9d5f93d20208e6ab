/** Keeps the live cache level with the state: publishes commits, fills in what is missing. */
import { USER_PREFIX, userIdOf } from '../../core/keys.ts';
import { decodeUser } from '../../core/record.ts';
import type { Live, LiveUpdate } from '../../live/live.ts';
import type { StateStore } from '../../state/state.ts';

const CHUNK_USERS = 1000;

export class LiveFiller {
  readonly #live: Live;
  readonly #store: StateStore;
  /** Partitions of which the live cache has all that is committed. */
  readonly #level = new Set<number>();
  /** How often a commit could not be published, by partition. */
  readonly #misses = new Map<number, number>();
  /** One partition is filled after the other. */
  #filling: Promise<unknown> = Promise.resolve();

  constructor(live: Live, store: StateStore) {
    this.#live = live;
    this.#store = store;
  }

  /** Whether all that is committed of a partition can be read in the live cache. */
  isLevel(partition: number): boolean {
    return this.#level.has(partition);
  }

  /** Of partitions that are no longer ours nothing is known. */
  forget(): void {
    this.#level.clear();
  }

  async publish(
    partition: number,
    position: number,
    updates: readonly LiveUpdate[],
  ): Promise<void> {
    if (await this.#live.publish(partition, position, updates)) this.#level.add(partition);
    else this.#missed(partition);
  }

  /** Brings the live cache up to a partition that was just taken up, where it isn't. */
  async takeUp(partition: number, signal: AbortSignal): Promise<void> {
    // As it was before the first commit here, by which the two would differ.
    const position = this.#store.position(partition);
    const published = await this.#live.publishedPosition(partition, position);
    if (signal.aborted) return;
    if (published === position) this.#level.add(partition);
    else await this.#inTurn(signal, () => this.#fill(partition, signal));
  }

  /** Fills in all of an open partition, beside commits that go on. */
  refill(partition: number, signal: AbortSignal): Promise<void> {
    this.#missed(partition);
    return this.#inTurn(signal, () => this.#fill(partition, signal));
  }

  async #fill(partition: number, signal: AbortSignal): Promise<void> {
    const misses = this.#misses.get(partition);
    // What is read from now on is at least as new as that.
    const position = this.#store.position(partition);
    const updates = liveSessions(this.#store, partition, signal);
    const isFilled = await this.#live.refill(partition, position, updates);
    if (isFilled && this.#misses.get(partition) === misses) this.#level.add(partition);
  }

  #inTurn(signal: AbortSignal, fill: () => Promise<void>): Promise<void> {
    const filled = this.#filling.then(async () => {
      try {
        if (!signal.aborted) await fill();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
    this.#filling = filled.catch(() => {});
    return filled;
  }

  #missed(partition: number): void {
    this.#level.delete(partition);
    this.#misses.set(partition, (this.#misses.get(partition) ?? 0) + 1);
  }
}

/** The users who have a live session, in chunks; throws when the signal aborts. */
async function* liveSessions(
  store: StateStore,
  partition: number,
  signal: AbortSignal,
): AsyncGenerator<LiveUpdate[]> {
  let updates: LiveUpdate[] = [];
  for await (const { key, value } of store.scan(partition, USER_PREFIX)) {
    signal.throwIfAborted();
    const userId = userIdOf(key);
    if (decodeUser(userId, value).newestLive() === null) continue;
    updates.push({ userId, session: value });
    if (updates.length < CHUNK_USERS) continue;
    yield updates;
    updates = [];
  }
  yield updates;
}
