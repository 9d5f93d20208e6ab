/** History in PostgreSQL's SQL, whoever runs the statements: embedded or a server. */
import type { SentRecord, SessionRecord } from '../core/output.ts';
import { decodeCursor, encodeCursor, type ListKind } from './cursor.ts';
import type {
  Breakdown,
  DurationPoint,
  Facet,
  History,
  HistoryPage,
  HistoryPosition,
  RevenuePoint,
  SeriesPoint,
  SeriesWindow,
  SessionStats,
  UserTotals,
} from './history.ts';
import { migrate } from './migrate.ts';
import { BUCKET_MS, splitWindow } from './rollup-window.ts';
import { recordOf, storableJson, storableText, timestamp } from './row.ts';
import { type Row, type Sql, statement } from './sql.ts';
import {
  readAbsorbed,
  readBreakdown,
  readDurationSeries,
  readRevenueSeries,
  readSeries,
  readTotals,
} from './sql-analytics.ts';

const POSITIONS = statement('positions');
const STORE_POSITIONS = statement('store-positions');
const REWIND_POSITIONS = statement('rewind-positions');
const LOCK_WRITERS = statement('lock-writers');
const UPSERT_SESSIONS = statement('upsert-sessions');
const LEAVE_LINEAGE = statement('leave-lineage');
const UPSERT_LINEAGE = statement('upsert-lineage');
const TAKE_OUT_SESSIONS = statement('take-out-sessions');
const SESSION = statement('session');
const SURVIVOR = statement('survivor');
const OF_USER = statement('of-user');
const CONVERTED = statement('converted');
const STATS = statement('stats');
const WRONG_BUCKETS = statement('wrong-buckets');
const EXPIRE_SESSIONS = statement('expire-sessions');
const EXPIRE_LINEAGE = statement('expire-lineage');
const LOCK_BUCKETS = statement('lock-buckets');
const EXPIRE_BUCKETS = statement('expire-buckets');

/** Opens history over a database, after bringing its tables up to date. */
export async function openSqlHistory(sql: Sql): Promise<History> {
  await migrate(sql);
  return new SqlHistory(sql);
}

export class SqlHistory implements History {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async positions(): Promise<HistoryPosition[]> {
    const rows = await this.#sql.query(POSITIONS, []);
    return rows.map((row) => ({
      logId: row['logId'] as string,
      partition: Number(row['partition']),
      nextOffset: Number(row['nextOffset']),
    }));
  }

  async apply(
    records: readonly SentRecord[],
    positions: readonly HistoryPosition[],
  ): Promise<void> {
    const { closed, gone } = newest(records);
    await this.#sql.transaction(async (inside) => {
      // Sent one after the other, without waiting for the answers in between.
      const sent = [
        positions.length > 0
          ? inside.query(STORE_POSITIONS, [JSON.stringify(positions)])
          : inside.query(LOCK_WRITERS, []),
      ];
      if (closed.length > 0) {
        const ids = closed.map(({ sessionId, revision }) => ({ sessionId, revision }));
        sent.push(inside.query(UPSERT_SESSIONS, [storableJson(closed)]));
        sent.push(inside.query(LEAVE_LINEAGE, [storableJson(ids)]));
      }
      if (gone.length > 0) {
        const json = storableJson(gone.map(lineageOf));
        sent.push(inside.query(UPSERT_LINEAGE, [json]));
        sent.push(inside.query(TAKE_OUT_SESSIONS, [json]));
      }
      await Promise.all(sent);
    });
  }

  async rewind(positions: readonly HistoryPosition[]): Promise<void> {
    await this.#sql.query(REWIND_POSITIONS, [JSON.stringify(positions)]);
  }

  async session(sessionId: string): Promise<SessionRecord | null> {
    const [row] = await this.#sql.query(SESSION, [storableText(sessionId)]);
    if (row !== undefined) return recordOf(row);
    const survivorId = await this.survivorOf(sessionId);
    if (survivorId === null) return null;
    const [survivor] = await this.#sql.query(SESSION, [survivorId]);
    return survivor === undefined ? null : recordOf(survivor);
  }

  async survivorOf(sessionId: string): Promise<string | null> {
    const [row] = await this.#sql.query(SURVIVOR, [storableText(sessionId)]);
    return row === undefined ? null : (row['survivorId'] as string);
  }

  async ofUser(userId: string, limit: number, cursor: string | null): Promise<HistoryPage> {
    const { time, sessionId } = decodeCursor('ofUser', cursor);
    const params = [storableText(userId), time, sessionId, limit + 1];
    return page(await this.#sql.query(OF_USER, params), limit, 'ofUser');
  }

  async converted(limit: number, cursor: string | null): Promise<HistoryPage> {
    const { time, sessionId } = decodeCursor('converted', cursor);
    return page(await this.#sql.query(CONVERTED, [time, sessionId, limit + 1]), limit, 'converted');
  }

  async stats(fromMs: number, toMs: number): Promise<SessionStats> {
    const [row] = await this.#sql.query(STATS, splitWindow(fromMs, toMs, BUCKET_MS));
    return statsOf(row!);
  }

  series(window: SeriesWindow): Promise<SeriesPoint[]> {
    return readSeries(this.#sql, window);
  }

  revenueSeries(window: SeriesWindow): Promise<RevenuePoint[]> {
    return readRevenueSeries(this.#sql, window);
  }

  durationSeries(window: SeriesWindow): Promise<DurationPoint[]> {
    return readDurationSeries(this.#sql, window);
  }

  breakdown(facet: Facet, fromMs: number, toMs: number, limit: number): Promise<Breakdown> {
    return readBreakdown(this.#sql, facet, [fromMs, toMs], limit);
  }

  absorbedBy(sessionId: string, limit: number): Promise<string[]> {
    return readAbsorbed(this.#sql, sessionId, limit);
  }

  totalsOf(userId: string): Promise<UserTotals> {
    return readTotals(this.#sql, userId);
  }

  async wrongBuckets(): Promise<number> {
    const [row] = await this.#sql.query(WRONG_BUCKETS, []);
    return Number(row!['wrong']);
  }

  async expire(beforeMs: number, limit: number): Promise<number> {
    const before = timestamp(beforeMs);
    const deleted = await this.#sql.transaction(async (inside) => {
      await inside.query(EXPIRE_LINEAGE, [before, limit]);
      const [row] = await inside.query(EXPIRE_SESSIONS, [before, limit]);
      return Number(row!['deleted']);
    });
    if (deleted < limit) {
      await this.#sql.transaction(async (inside) => {
        await inside.query(LOCK_BUCKETS, []);
        await inside.query(EXPIRE_BUCKETS, [before]);
      });
    }
    return deleted;
  }

  sizeBytes(): Promise<number> {
    return this.#sql.sizeBytes();
  }

  close(): Promise<void> {
    return this.#sql.close();
  }
}

/** Of each id only its highest revision: one statement must not write a row twice. */
function newest(records: readonly SentRecord[]): { closed: SentRecord[]; gone: SentRecord[] } {
  const byId = new Map<string, SentRecord>();
  for (const record of records) {
    const known = byId.get(record.sessionId);
    if (known === undefined || known.revision < record.revision) byId.set(record.sessionId, record);
  }
  const closed: SentRecord[] = [];
  const gone: SentRecord[] = [];
  for (const record of byId.values()) {
    const out = record.state === 'active' || record.state === 'merged';
    (out ? gone : closed).push(record);
  }
  return { closed, gone };
}

/** What the lineage keeps: of an open session nothing but when it may go. */
function lineageOf(record: SentRecord): Record<string, unknown> {
  const { sessionId, revision } = record;
  if (record.state === 'merged') return { sessionId, revision, mergedInto: record.mergedInto };
  return { sessionId, revision, endTime: record.endTime };
}

/** One row more than the limit was asked for: whether it came says if there is a next page. */
function page(rows: readonly Row[], limit: number, list: ListKind): HistoryPage {
  const items = rows.slice(0, limit).map(recordOf);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items, nextCursor: null };
  const time = list === 'ofUser' ? last.startTime : last.endTime;
  return { items, nextCursor: encodeCursor(list, { time, sessionId: last.sessionId }) };
}

function statsOf(sums: Row): SessionStats {
  const sessions = Number(sums['sessions']);
  const conversions = Number(sums['conversions']);
  const average = (sum: number) => (sessions === 0 ? 0 : sum / sessions);
  return {
    totalSessions: sessions,
    averageDuration: average(Number(sums['durationMs']) / 1000),
    averageEventCount: average(Number(sums['events'])),
    conversionCount: conversions,
    conversionRate: average(conversions),
  };
}
