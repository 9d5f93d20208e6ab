/** Closed sessions, one row each, in SQL; its position in the `sessions` topic kept with them. */
import type { SentRecord, SessionRecord } from '../core/output.ts';

/** How far a partition of the `sessions` topic has been read. */
export interface HistoryPosition {
  readonly logId: string;
  readonly partition: number;
  /** Offset of the first record not yet in history. */
  readonly nextOffset: number;
}

export interface HistoryPage {
  readonly items: readonly SessionRecord[];
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null;
}

/** Over sessions that ended in the window; zeros, never NaN, when there are none. */
export interface SessionStats {
  readonly totalSessions: number;
  /** Seconds. */
  readonly averageDuration: number;
  readonly averageEventCount: number;
  readonly conversionCount: number;
  /** 0 to 1. */
  readonly conversionRate: number;
}

export interface History {
  /** The stored positions; empty for a new history. */
  positions(): Promise<HistoryPosition[]>;
  /**
   * In one transaction: keeps the highest revision of each id (`active` and `merged` take a
   * session's row out, and its id and revision stay in the lineage), and stores the positions.
   * The same batch again changes nothing, and a position never goes back. What has resolved
   * survives a power loss. Texts come back as they were, but for U+0000 and lone surrogates, which
   * come back as U+FFFD. Several processes may write at once: those that give positions of the same
   * partition take turns, and who gives none waits for all others.
   */
  apply(records: readonly SentRecord[], positions: readonly HistoryPosition[]): Promise<void>;
  /** Stores positions that may lie further back: for a log that has lost its end. */
  rewind(positions: readonly HistoryPosition[]): Promise<void>;
  /** A closed session; an absorbed id answers with its survivor's row; null when there is none. */
  session(sessionId: string): Promise<SessionRecord | null>;
  /** Where an absorbed id leads, to the end of the chain; null when it was not absorbed. */
  survivorOf(sessionId: string): Promise<string | null>;
  /** A user's closed sessions, latest start first. Rejects with `invalid_cursor`. */
  ofUser(userId: string, limit: number, cursor: string | null): Promise<HistoryPage>;
  /** Closed sessions with a conversion, latest end first. Rejects with `invalid_cursor`. */
  converted(limit: number, cursor: string | null): Promise<HistoryPage>;
  /** Sessions that ended in [fromMs, toMs), from the rollup. */
  stats(fromMs: number, toMs: number): Promise<SessionStats>;
  /** Recomputes the rollup from the rows and says how many of its buckets differ. */
  wrongBuckets(): Promise<number>;
  /** Deletes sessions that ended before, oldest first, at most `limit`; returns how many. */
  expire(beforeMs: number, limit: number): Promise<number>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}
