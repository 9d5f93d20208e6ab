/** What the rollup answers over time and by facet, and what is summed up of a user. */
import type {
  Breakdown,
  DurationPoint,
  Facet,
  RevenuePoint,
  SeriesPoint,
  SeriesWindow,
  UserTotals,
} from './history.ts';
import { BUCKET_MS, splitWindow } from './rollup-window.ts';
import { isoTime, storableText, timestamp } from './row.ts';
import { type Sql, statement } from './sql.ts';

const HOUR_MS = 3_600_000;
/** That of `session_duration_step`. */
const STEP = 1.04;

const SERIES = statement('series');
const REVENUE_SERIES = statement('revenue-series');
const DURATION_SERIES = statement('duration-series');
const BREAKDOWN = statement('breakdown');
const ABSORBED = statement('absorbed');
const TOTALS = statement('totals');

export async function readSeries(sql: Sql, window: SeriesWindow): Promise<SeriesPoint[]> {
  const rows = await sql.query(SERIES, boundsOf(window, BUCKET_MS));
  const points = rows.map((row) => ({
    startMs: timeMs(row['start']),
    sessions: Number(row['sessions']),
    events: Number(row['events']),
    conversions: Number(row['conversions']),
    durationMs: Number(row['durationMs']),
  }));
  return points.filter(({ sessions }) => sessions !== 0).sort(byStart);
}

export async function readRevenueSeries(sql: Sql, window: SeriesWindow): Promise<RevenuePoint[]> {
  const rows = await sql.query(REVENUE_SERIES, boundsOf(window, BUCKET_MS));
  const points = new Map<number, Record<string, number>>();
  for (const row of rows) {
    const startMs = timeMs(row['start']);
    const revenue = points.get(startMs) ?? {};
    revenue[row['currency'] as string] = Number(row['revenue']);
    points.set(startMs, revenue);
  }
  return [...points].map(([startMs, revenue]) => ({ startMs, revenue })).sort(byStart);
}

export async function readDurationSeries(sql: Sql, window: SeriesWindow): Promise<DurationPoint[]> {
  const fromRows = window.intervalMs % HOUR_MS !== 0;
  const bounds = boundsOf(window, fromRows ? BUCKET_MS : HOUR_MS);
  const rows = await sql.query(DURATION_SERIES, [...bounds, fromRows]);
  const points = rows.map((row) => ({
    startMs: timeMs(row['start']),
    p50Ms: durationMs(row['p50']),
    p95Ms: durationMs(row['p95']),
    p99Ms: durationMs(row['p99']),
  }));
  return points.sort(byStart);
}

export async function readBreakdown(
  sql: Sql,
  facet: Facet,
  [fromMs, toMs]: readonly [fromMs: number, toMs: number],
  limit: number,
): Promise<Breakdown> {
  const bounds = splitWindow(fromMs, toMs, HOUR_MS);
  const rows = await sql.query(BREAKDOWN, [facet, ...bounds, limit]);
  return {
    total: Number(rows[0]?.['total'] ?? 0),
    items: rows.map((row) => ({
      value: row['value'] as string | null,
      count: Number(row['count']),
      converted: Number(row['converted']),
    })),
  };
}

export async function readAbsorbed(sql: Sql, sessionId: string, limit: number): Promise<string[]> {
  const rows = await sql.query(ABSORBED, [storableText(sessionId), limit]);
  return rows.map((row) => row['sessionId'] as string);
}

export async function readTotals(sql: Sql, userId: string): Promise<UserTotals> {
  const [row] = await sql.query(TOTALS, [storableText(userId)]);
  return {
    sessions: Number(row!['sessions']),
    events: Number(row!['events']),
    durationMs: Number(row!['durationMs']),
    conversions: Number(row!['conversions']),
    revenue: row!['revenue'] as UserTotals['revenue'],
    firstStart: isoTime(row!['firstStart']),
    lastEnd: isoTime(row!['lastEnd']),
  };
}

/** Widened to whole grains of the rollup, but never before the interval that it begins in. */
function boundsOf(window: SeriesWindow, grainMs: number): (number | string)[] {
  const { fromMs, toMs, intervalMs, originMs } = window;
  const startMs = Math.floor((fromMs - originMs) / intervalMs) * intervalMs + originMs;
  const firstMs = Math.floor(startMs / grainMs) * grainMs;
  const endMs = Math.ceil(toMs / grainMs) * grainMs;
  return [intervalMs / 1000, timestamp(originMs), timestamp(firstMs), timestamp(endMs)];
}

/** The middle of a step. */
function durationMs(step: unknown): number {
  const number = Number(step);
  return number === 0 ? 0 : Math.round((2 * STEP ** (number - 1)) / (1 + STEP));
}

function timeMs(value: unknown): number {
  return (value as Date).getTime();
}

function byStart(left: { startMs: number }, right: { startMs: number }): number {
  return left.startMs - right.startMs;
}
