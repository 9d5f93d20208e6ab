/** The newest state of each active session, expiring: what "right now" is answered from. */
import type { SessionRecord } from '../core/output.ts';

export interface LiveUpdate {
  readonly userId: string;
  /**
   * The user's newest live session by end time, in the state's encoding; null when the user has
   * none any more. It is decoded only when somebody asks.
   */
  readonly session: Uint8Array | null;
}

export interface LiveAnswer {
  readonly session: SessionRecord;
  /** When the session was published here, epoch milliseconds. */
  readonly asOfMs: number;
  /** Whether this process had it, or it was fetched from Redis. */
  readonly source: 'process' | 'redis';
}

/** All conditions that are given must hold. */
export interface LiveFilter {
  readonly minEvents?: number;
  /** Idle for at least this long, measured from its last event to now. */
  readonly minIdleMs?: number;
  readonly hasCart?: boolean;
  readonly hasConversion?: boolean;
  readonly device?: string;
}

export interface LivePage {
  readonly items: readonly LiveAnswer[];
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null;
}

/**
 * Where the live sessions are kept may be away, come back empty, or have missed a commit whose
 * owner died before it had published it. So the owner of a partition, when it takes it over,
 * compares `publishedPosition` with the position of its state, and calls `refill` when they differ
 * (null differs from everything); and it calls `refill` each time `onRefillNeeded` names a
 * partition that is still its own. Nothing else is asked of it.
 */
export interface Live {
  /**
   * Takes what a commit changed. An update counts only if `position` is higher than that of the
   * one kept for the user: a late, stalled writer can't bring back what was closed.
   *
   * True when everything of the partition up to this position can be read here, by everybody.
   * False, soon, when it can't be: the partition is then waiting to be filled again. It never
   * rejects because what it writes to is away, and it queues nothing. The commits of a partition
   * are published one after the other, and their bytes stay as they are until it has resolved.
   */
  publish(partition: number, position: number, updates: readonly LiveUpdate[]): Promise<boolean>;
  /**
   * Up to which position all of a partition has been published, by whatever process; null when
   * that isn't known (nothing was, it is waiting to be filled again, or the place is away). `from`
   * is the position at which this process takes the partition up: unless it is the same, nothing
   * that is published from there on is all of the partition before it has been refilled.
   */
  publishedPosition(partition: number, from?: number): Promise<number | null>;
  /**
   * Publishes all live sessions of a partition as its state had them at `position` or later, and
   * removes those published at a lower position that aren't among them; commits may be published
   * meanwhile. Answers as `publish` does. When it is false for want of the place, it is asked for
   * again, with growing pauses; when the partition has been published at a higher position by
   * somebody else, it is not. Rejects when `updates` does.
   */
  refill(
    partition: number,
    position: number,
    updates: AsyncIterable<readonly LiveUpdate[]>,
  ): Promise<boolean>;
  /**
   * Calls back with each partition, published by this process, of which something is missing;
   * returns the way to stop it.
   */
  onRefillNeeded(listener: (partition: number) => void): () => void;
  /**
   * A user's newest live session. A process may keep what it has read, and hear of changes a
   * moment later than of other things: `fresh` asks past that.
   */
  get(userId: string, fresh?: boolean): Promise<LiveAnswer | null>;
  /** The same by session id, when that session is the one kept for its user. */
  session(sessionId: string, fresh?: boolean): Promise<LiveAnswer | null>;
  /** Latest end first. Rejects with `invalid_cursor` when the cursor is not one of ours. */
  list(filter: LiveFilter, limit: number, cursor: string | null): Promise<LivePage>;
  /** Active sessions kept. */
  size(): Promise<number>;
  /**
   * Calls back with each change, of whatever process, once it can be read; returns the way to stop
   * it. While the place is away, or the listener's process can't keep up, changes are missed.
   */
  onChange(listener: (change: LiveChange) => void): () => void;
  close(): Promise<void>;
}

export interface LiveChange {
  readonly userId: string;
  /** Decoded when asked for, once; null when the user has no live session any more. */
  readonly session: () => SessionRecord | null;
}
