/** Live changes for streams: the newest of each user, at most four times a second. */
import type { Live, LiveChange } from '../../live/live.ts';

const FLUSH_MS = 250;
/** Changes told in one flush, and those that may wait for theirs. */
const MAX_FLUSHED = 500;
/** The more readers there are, the fewer changes: each is written to every one of them. */
const MAX_FLUSHED_WRITES = 50_000;
const MAX_PENDING = 10_000;

export interface LiveFeedListener {
  /** Decoded here, once for all readers. */
  changed(change: LiveChange): void;
  /** So many changes were left out since this was last called, because too much happens. */
  skipped(count: number): void;
}

export class LiveFeed {
  readonly #live: Live;
  readonly #listener: LiveFeedListener;
  /** Users that somebody watches alone, with how many do: their changes are never left out. */
  readonly #watched = new Map<string, number>();
  /** How many readers want every user. */
  #broadReaders = 0;
  readonly #urgent = new Map<string, LiveChange>();
  readonly #pending = new Map<string, LiveChange>();
  #skipped = 0;
  #timer: NodeJS.Timeout | null = null;
  #lastFlushMs = Number.NEGATIVE_INFINITY;
  #stopListening: (() => void) | null = null;

  constructor(live: Live, listener: LiveFeedListener) {
    this.#live = live;
    this.#listener = listener;
  }

  /** Counts a reader in: of one user, or of all where none is named. Returns the way out. */
  addReader(userId: string | undefined): () => void {
    this.#stopListening ??= this.#live.onChange((change) => this.#take(change));
    if (userId === undefined) this.#broadReaders++;
    else this.#watched.set(userId, (this.#watched.get(userId) ?? 0) + 1);
    return () => this.#removeReader(userId);
  }

  #removeReader(userId: string | undefined): void {
    const left = userId === undefined ? 0 : this.#watched.get(userId)! - 1;
    if (userId === undefined) this.#broadReaders--;
    else if (left > 0) this.#watched.set(userId, left);
    else this.#watched.delete(userId);
    if (this.#broadReaders === 0) this.#pending.clear();
    if (this.#broadReaders > 0 || this.#watched.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#urgent.clear();
    this.#skipped = 0;
  }

  #take(change: LiveChange): void {
    const { userId } = change;
    if (this.#watched.has(userId)) this.#urgent.set(userId, change);
    else if (this.#broadReaders === 0) return;
    else if (this.#pending.size < MAX_PENDING || this.#pending.has(userId)) {
      this.#pending.set(userId, change);
    } else this.#skipped++;
    this.#schedule();
  }

  /** At once when the last flush is long past. */
  #schedule(): void {
    if (this.#timer !== null) return;
    const waitMs = Math.max(0, this.#lastFlushMs + FLUSH_MS - performance.now());
    this.#timer = setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    this.#timer = null;
    this.#lastFlushMs = performance.now();
    for (const change of this.#urgent.values()) this.#listener.changed(change);
    this.#urgent.clear();
    let room = Math.min(MAX_FLUSHED, Math.ceil(MAX_FLUSHED_WRITES / this.#broadReaders));
    for (const [userId, change] of this.#pending) {
      if (room-- === 0) break;
      this.#pending.delete(userId);
      this.#listener.changed(change);
    }
    if (this.#skipped > 0) this.#listener.skipped(this.#skipped);
    this.#skipped = 0;
    if (this.#pending.size > 0) this.#schedule();
  }
}
