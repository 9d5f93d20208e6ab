/** A session record as JSON that PostgreSQL takes, and back from a row. */
import type { CloseReason, SessionRecord, TrailRecord } from '../core/output.ts';
import type { Row } from './sql.ts';

/** What JSON.stringify writes for U+0000 and lone surrogates; an escaped backslash may mislead. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/;

/**
 * JSON that `jsonb` accepts. PostgreSQL stores neither U+0000 nor lone surrogates: each becomes
 * U+FFFD, in names and values alike.
 */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  return UNSTORABLE.test(json) ? JSON.stringify(storable(value)) : json;
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [storableText(name), storable(inner)]),
  );
}

/** The same for one text: what an id is looked up by. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** The record that a row of `user_sessions` was written from. */
export function recordOf(row: Row): SessionRecord {
  return {
    sessionId: row['session_id'] as string,
    userId: row['user_id'] as string,
    state: row['state'] as SessionRecord['state'],
    revision: Number(row['revision']),
    tier: row['tier'] as string | null,
    closeReason: row['close_reason'] as CloseReason | null,
    startTime: isoTime(row['start_time'])!,
    endTime: isoTime(row['end_time'])!,
    durationSeconds: Number(row['duration_seconds']),
    eventCount: Number(row['event_count']),
    eventCounts: row['event_counts'] as SessionRecord['eventCounts'],
    firstEventTimes: row['first_event_times'] as SessionRecord['firstEventTimes'],
    entryPage: row['entry_page'] as string | null,
    exitPage: row['exit_page'] as string | null,
    pageViews: Number(row['page_views']),
    distinctPages: Number(row['distinct_pages']),
    distinctPagesTruncated: row['distinct_pages_truncated'] as boolean,
    searches: Number(row['searches']),
    addToCarts: Number(row['add_to_carts']),
    purchases: Number(row['purchases']),
    revenue: row['revenue'] as SessionRecord['revenue'],
    cartValue: row['cart_value'] as SessionRecord['cartValue'],
    hasConversion: row['has_conversion'] as boolean,
    firstConversionTime: isoTime(row['first_conversion_time']),
    referrer: row['referrer'] as string | null,
    utm: row['utm'] as SessionRecord['utm'],
    channel: row['channel'] as SessionRecord['channel'],
    device: row['device'] as string | null,
    bounced: row['bounced'] as boolean,
    engaged: row['engaged'] as boolean,
    firstArrival: isoTime(row['first_arrival']),
    lastArrival: isoTime(row['last_arrival']),
    lateCount: Number(row['late_count']),
    duplicateCount: Number(row['duplicate_count']),
    endOvertakenCount: Number(row['end_overtaken_count']),
    previousSessionId: row['previous_session_id'] as string | null,
    trail: row['trail'] as TrailRecord[],
    trailTruncated: row['trail_truncated'] as boolean,
  };
}

/** bigint columns come as numbers or texts, by driver; timestamps as Date from both. */
export function isoTime(value: unknown): string | null {
  return value === null ? null : (value as Date).toISOString();
}

/** PostgreSQL's text for a time; times beyond its calendar stand for never and for ever. */
export function timestamp(timeMs: number): string {
  if (timeMs >= MAX_TIME_MS) return 'infinity';
  return timeMs < 0 ? '-infinity' : new Date(timeMs).toISOString();
}

const MAX_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
