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

export interface Live {
  /**
   * Takes what a commit changed. An update counts only if `position` is higher than that of the
   * one kept for the user: a late, stalled writer can't bring back what was closed.
   */
  publish(partition: number, position: number, updates: readonly LiveUpdate[]): Promise<void>;
  get(userId: string): Promise<LiveAnswer | null>;
  /** The same by session id, when that session is the one kept for its user. */
  session(sessionId: string): Promise<LiveAnswer | null>;
  /** Latest end first. Rejects with `invalid_cursor` when the cursor is not one of ours. */
  list(filter: LiveFilter, limit: number, cursor: string | null): Promise<LivePage>;
  /** Active sessions kept. */
  size(): Promise<number>;
  /** Calls back with each change after it can be read; returns the way to stop it. */
  onChange(listener: (change: LiveChange) => void): () => void;
  close(): Promise<void>;
}

export interface LiveChange {
  readonly userId: string;
  /** Decoded when asked for, once; null when the user has no live session any more. */
  readonly session: () => SessionRecord | null;
}
