/** Sessions as rows of CSV. */
import type { SessionRecord } from '../core/output.ts';

/** The columns of CSV: the names of the JSON, in its order; maps and lists are JSON text. */
export const SESSION_COLUMNS = [
  'sessionId',
  'userId',
  'state',
  'revision',
  'tier',
  'closeReason',
  'startTime',
  'endTime',
  'durationSeconds',
  'eventCount',
  'eventCounts',
  'firstEventTimes',
  'entryPage',
  'exitPage',
  'pageViews',
  'distinctPages',
  'distinctPagesTruncated',
  'searches',
  'addToCarts',
  'purchases',
  'revenue',
  'cartValue',
  'hasConversion',
  'firstConversionTime',
  'referrer',
  'utm',
  'channel',
  'device',
  'bounced',
  'engaged',
  'firstArrival',
  'lastArrival',
  'lateCount',
  'duplicateCount',
  'endOvertakenCount',
  'previousSessionId',
  'trail',
  'trailTruncated',
] as const satisfies readonly (keyof SessionRecord)[];

export const CSV_HEADER = `${SESSION_COLUMNS.join(',')}\n`;

/** A row with its line feed. */
export function csvRow(record: SessionRecord): string {
  return `${SESSION_COLUMNS.map((column) => csvField(record[column])).join(',')}\n`;
}

function csvField(value: unknown): string {
  if (value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
