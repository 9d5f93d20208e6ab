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

/** Intervals of equal length that [fromMs, toMs) is cut into: some of them may be partly in it. */
export interface SeriesWindow {
  readonly fromMs: number;
  readonly toMs: number;
  /** A multiple of 5 minutes. */
  readonly intervalMs: number;
  /** Intervals begin at its multiples after this, such as a midnight; a multiple of 5 minutes. */
  readonly originMs: number;
}

/** What ended in an interval; it is of whole 5 minutes, so that the last one may still grow. */
export interface SeriesPoint {
  readonly startMs: number;
  readonly sessions: number;
  readonly events: number;
  readonly conversions: number;
  readonly durationMs: number;
}

export interface RevenuePoint {
  readonly startMs: number;
  /** By currency. */
  readonly revenue: Readonly<Record<string, number>>;
}

/** Nearest ranks, right within 2 %. */
export interface DurationPoint {
  readonly startMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export type Facet = 'entryPage' | 'exitPage' | 'device' | 'channel' | 'eventType';

export interface Breakdown {
  /** Of all values: sessions, or events where the facet is `eventType`. */
  readonly total: number;
  /** The commonest first. */
  readonly items: readonly BreakdownItem[];
}

export interface BreakdownItem {
  /** Its first 500 characters; null: those that have none. */
  readonly value: string | null;
  readonly count: number;
  /** How many of `count` are of sessions with a conversion. */
  readonly converted: number;
}

/** Over a user's closed sessions. */
export interface UserTotals {
  readonly sessions: number;
  readonly events: number;
  readonly durationMs: number;
  readonly conversions: number;
  readonly revenue: Readonly<Record<string, number>>;
  /** ISO 8601; null when there are none. */
  readonly firstStart: string | null;
  readonly lastEnd: string | null;
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
  /** Intervals in which sessions ended, oldest first, from the rollup; none for the others. */
  series(window: SeriesWindow): Promise<SeriesPoint[]>;
  revenueSeries(window: SeriesWindow): Promise<RevenuePoint[]>;
  /** From the rollup where intervals are of whole hours, from the rows where they are shorter. */
  durationSeries(window: SeriesWindow): Promise<DurationPoint[]>;
  /** The commonest values among sessions that ended in [fromMs, toMs), from the rollup. */
  breakdown(facet: Facet, fromMs: number, toMs: number, limit: number): Promise<Breakdown>;
  /** Ids that lead to a session because it absorbed them, directly or through others. */
  absorbedBy(sessionId: string, limit: number): Promise<string[]>;
  totalsOf(userId: string): Promise<UserTotals>;
  /** Recomputes the rollup from the rows and says how many of its buckets differ. */
  wrongBuckets(): Promise<number>;
  /** Deletes sessions that ended before, oldest first, at most `limit`; returns how many. */
  expire(beforeMs: number, limit: number): Promise<number>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}
