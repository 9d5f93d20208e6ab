/**
 * Publishes partitions to Redis, in pieces, and keeps account of what of them is missing there:
 * after a failure, or when Redis has lost what it had, it asks for the partition to be filled.
 */
import { randomUUID } from 'node:crypto';
import type { SessionRecord } from '../core/output.ts';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { Outage } from '../ops/outage.ts';
import type { LiveUpdate } from './live.ts';
import type { RedisConnection } from './redis-connection.ts';
import { encodeValue, type Header, type RedisKeys } from './redis-layout.ts';

/** Bounds of one step: about a millisecond of Redis, and of this process. */
const PIECE_USERS = 100;
const PIECE_BYTES = 256 * 1024;
/** Pieces under way, of all partitions together. */
const MAX_PIECES = 8;
/** Users that one look for stale ones takes in. */
const LOOKED_AT = 500;
/** How often it is looked whether Redis is back, while somebody waits to be asked. */
const LOOK_MS = 500;
/** How long a partition in which nothing happens still counts as published. */
const POSITIONS_TTL_MS = 7 * 24 * 3_600_000;

/** What the script answers about the partition's position. */
const MOVED_ON = 1;
const HIGHER = 0;
const LOST = -1;
const NOT_ASKED = -2;

export interface RedisPublisherOptions {
  readonly keys: RedisKeys;
  readonly connection: RedisConnection;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly decode: (userId: string, bytes: Uint8Array, partition: number) => SessionRecord;
  /** Called with each user whose value may have changed, once it has. */
  readonly onWritten: (userId: string) => void;
}

interface Piece {
  readonly users: string[];
  /** Ids and values in turn. */
  readonly values: (string | Buffer)[];
}

/** A filling under way, and what commits have been published beside it. */
interface Filling {
  position: number;
  isBroken: boolean;
}

export class RedisPublisher {
  readonly #options: RedisPublisherOptions;
  readonly #listeners = new Set<(partition: number) => void>();
  /** Up to where each partition is published without a gap, as far as this process knows. */
  readonly #positions = new Map<number, number>();
  /** Partitions of which something is missing. */
  readonly #gaps = new Set<number>();
  readonly #fillings = new Map<number, Filling>();
  /** Gaps for whose filling nobody has been asked since they were last found. */
  readonly #unasked = new Set<number>();
  readonly #refused: Outage;
  readonly #stop = new AbortController();
  /** Why Redis, though there, did not take something; null when it was away. */
  #reason: unknown = null;
  #isAsking = false;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: RedisPublisherOptions) {
    this.#options = options;
    this.#refused = new Outage({
      ...options,
      down: 'Redis does not take live sessions: they are answered from the state',
      up: 'Redis takes live sessions again',
    });
  }

  problem(): string | null {
    return this.#refused.reason;
  }

  /** To be called each time when the connection stands: Redis may have lost what it had. */
  async connected(): Promise<void> {
    if (this.#positions.size === 0) return;
    try {
      const found = await this.#options.connection.ask((client) =>
        client.hGetAll(this.#options.keys.positions),
      );
      for (const partition of this.#positions.keys()) {
        const position = found[partition] ?? null;
        const isBehind = this.#isBehind(partition, position === null ? null : Number(position));
        if (isBehind) this.#miss(partition, null);
      }
    } catch (error) {
      // It is lost again, and will be back again.
      orThrow(error);
    }
  }

  onRefillNeeded(listener: (partition: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#stop.abort();
    this.#listeners.clear();
  }

  async publishedPosition(partition: number, from?: number): Promise<number | null> {
    const { connection, keys } = this.#options;
    if (this.#gaps.has(partition)) return null;
    try {
      const found = await connection.ask((client) => client.hGet(keys.positions, `${partition}`));
      const position = found === null ? null : Number(found);
      if (this.#isBehind(partition, position)) this.#miss(partition, null);
      if (this.#gaps.has(partition)) return null;
      // What lies between the two has not been published, and a later position must not hide it.
      if (from !== undefined && position !== from) this.#gaps.add(partition);
      else if (position !== null) this.#positions.set(partition, position);
      return position;
    } catch (error) {
      orThrow(error);
      return null;
    }
  }

  async publish(
    partition: number,
    position: number,
    updates: readonly LiveUpdate[],
  ): Promise<boolean> {
    const filling = this.#fillings.get(partition);
    const expected = this.#gaps.has(partition) ? undefined : this.#positions.get(partition);
    const header = { partition, position, asOfMs: this.#options.clock.nowMs() };
    try {
      const answer = await this.#write(header, updates, expected, false);
      if (filling !== undefined) filling.position = Math.max(filling.position, position);
      if (answer === MOVED_ON) this.#positions.set(partition, Math.max(position, expected!));
      else if (answer === HIGHER) this.#superseded(partition);
      else if (answer === LOST) this.#miss(partition, null);
      return answer === MOVED_ON;
    } catch (error) {
      orThrow(error);
      if (filling !== undefined) filling.isBroken = true;
      this.#miss(partition, error);
      return false;
    }
  }

  async refill(
    partition: number,
    position: number,
    updates: AsyncIterable<readonly LiveUpdate[]>,
  ): Promise<boolean> {
    const filling = { position, isBroken: false };
    this.#gaps.add(partition);
    this.#unasked.delete(partition);
    this.#fillings.set(partition, filling);
    try {
      const isFilled = await this.#fill(partition, filling, updates);
      if (!isFilled) return this.#superseded(partition);
      this.#positions.set(partition, filling.position);
      this.#gaps.delete(partition);
      this.#refused.over();
      return true;
    } catch (error) {
      orThrow(error);
      // A newer filling has taken its place: it is that one's to account for what is missing.
      if (this.#fillings.get(partition) === filling) this.#miss(partition, error);
      return false;
    } finally {
      if (this.#fillings.get(partition) === filling) this.#fillings.delete(partition);
    }
  }

  /** False when somebody has published the partition at a higher position. */
  async #fill(
    partition: number,
    filling: Filling,
    updates: AsyncIterable<readonly LiveUpdate[]>,
  ): Promise<boolean> {
    const { keys, connection, clock, ttlMs } = this.#options;
    const { position } = filling;
    const token = randomUUID();
    const nowMs = await connection.ask((client) =>
      client.beginFilling(
        [keys.positions],
        [`${partition}`, `${position}`, token, `${POSITIONS_TTL_MS}`],
      ),
    );
    if (nowMs === 0) return false;
    const header = { partition, position, asOfMs: clock.nowMs() };
    for await (const some of updates) {
      await this.#write(header, some, undefined, true);
      this.#check(partition, filling);
    }
    await this.#removeStale(header, nowMs + ttlMs);
    const isEnded = await connection.ask((client) =>
      client.endFilling([keys.positions], [`${partition}`, `${filling.position}`, token]),
    );
    this.#check(partition, filling);
    if (isEnded === 0) throw new LullError('live_unavailable', 'Redis lost what was filled in');
    return true;
  }

  /** Whether Redis has lost some of what this process has published. */
  #isBehind(partition: number, position: number | null): boolean {
    const published = this.#positions.get(partition);
    return published !== undefined && (position === null || position < published);
  }

  #check(partition: number, filling: Filling): void {
    if (!filling.isBroken && this.#fillings.get(partition) === filling) return;
    throw new LullError('live_unavailable', 'something could not be published meanwhile');
  }

  /** Puts markers over what lay there before the filling and is not in the state any more. */
  async #removeStale(header: Header, untouchedMs: number): Promise<void> {
    const { keys, connection } = this.#options;
    const expiries = `${keys.expiries}${header.partition}`;
    const bounds = [keys.user, `${header.position}`, `${untouchedMs}`];
    for (let offset = 0; ; ) {
      const [seen = 0, ...stale] = await connection.ask((client) =>
        client.findStale([expiries], [...bounds, `${offset}`, `${LOOKED_AT}`]),
      );
      const removals = stale.map((userId) => ({ userId: userId.toString(), session: null }));
      await this.#write(header, removals, undefined, false);
      offset += Number(seen) - stale.length;
      if (Number(seen) < LOOKED_AT) return;
    }
  }

  /** Somebody else owns the partition by now: it is no longer ours to account for. */
  #superseded(partition: number): false {
    this.#positions.delete(partition);
    this.#gaps.delete(partition);
    this.#unasked.delete(partition);
    return false;
  }

  #miss(partition: number, error: unknown): void {
    this.#gaps.add(partition);
    this.#unasked.add(partition);
    if (error !== null && this.#options.connection.isReady) this.#reason = error;
    void this.#ask();
  }

  /** Asks for fillings: at once when Redis is back, ever later while it is there and refuses. */
  async #ask(): Promise<void> {
    const { connection, clock } = this.#options;
    const { signal } = this.#stop;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#unasked.size > 0 && !signal.aborted) {
      const reason = this.#reason;
      this.#reason = null;
      if (reason !== null) await this.#refused.wait(reason, signal);
      if (!connection.isReady) {
        await clock.sleep(LOOK_MS, signal);
        continue;
      }
      const partitions = [...this.#unasked];
      this.#unasked.clear();
      for (const partition of partitions) this.#tell(partition);
    }
    this.#isAsking = false;
  }

  #tell(partition: number): void {
    for (const listener of this.#listeners) {
      try {
        listener(partition);
      } catch (error) {
        // One listener's defect must not keep the others from filling.
        process.emitWarning(error as Error);
      }
    }
  }

  /**
   * Writes piece by piece, several under way; the last one, once the others have arrived, moves the
   * partition's position on from `expected`.
   */
  async #write(
    header: Header,
    updates: readonly LiveUpdate[],
    expected: number | undefined,
    isFilling: boolean,
  ): Promise<number> {
    if (updates.length === 0 && expected === undefined) return NOT_ASKED;
    const under: Promise<unknown>[] = [];
    let failure: unknown = null;
    let last: Piece = { users: [], values: [] };
    for (const piece of this.#pieces(header, updates)) {
      if (last.users.length > 0) {
        const sent = await this.#send(header, last, undefined, isFilling);
        under.push(
          sent.reply.catch((error: unknown) => {
            failure = error;
          }),
        );
      }
      if (failure !== null) break;
      last = piece;
    }
    await Promise.all(under);
    if (failure !== null) throw failure;
    return (await this.#send(header, last, expected, isFilling)).reply;
  }

  *#pieces(header: Header, updates: readonly LiveUpdate[]): Generator<Piece> {
    const { decode } = this.#options;
    let piece: Piece = { users: [], values: [] };
    let bytes = 0;
    for (const { userId, session: record } of updates) {
      const session = record === null ? null : decode(userId, record, header.partition);
      const value = encodeValue(header, session, record);
      piece.users.push(userId);
      piece.values.push(userId, value);
      bytes += value.length;
      if (piece.users.length < PIECE_USERS && bytes < PIECE_BYTES) continue;
      yield piece;
      piece = { users: [], values: [] };
      bytes = 0;
    }
    if (piece.users.length > 0) yield piece;
  }

  /** Resolves when the piece is on its way; others wait for a place. */
  async #send(
    header: Header,
    piece: Piece,
    expected: number | undefined,
    isFilling: boolean,
  ): Promise<{ readonly reply: Promise<number> }> {
    while (this.#underWay >= MAX_PIECES) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#underWay++;
    return { reply: this.#sendNow(header, piece, expected, isFilling) };
  }

  async #sendNow(
    { partition, position }: Header,
    { users, values }: Piece,
    expected: number | undefined,
    isFilling: boolean,
  ): Promise<number> {
    const { keys, connection, ttlMs, onWritten } = this.#options;
    try {
      return await connection.ask((client) =>
        client.publishLive(
          [keys.ends, `${keys.expiries}${partition}`, keys.positions],
          [
            ...[keys.user, keys.session, keys.changes, `${position}`, `${partition}`, `${ttlMs}`],
            ...[`${expected ?? ''}`, isFilling ? '1' : '0', `${POSITIONS_TTL_MS}`, ...values],
          ],
        ),
      );
    } finally {
      this.#underWay--;
      this.#waiting.shift()?.();
      // Also after a failure: the step may have been done and only its answer lost.
      for (const userId of users) onWritten(userId);
    }
  }
}

/** What was not written because Redis can't be written to is published later; nothing else is. */
function orThrow(error: unknown): void {
  if (!(error instanceof LullError && error.code === 'live_unavailable')) throw error;
}
