/** Reads a record of the `sessions` topic strictly: what passes here, history can store. */
import { MAX_ID_BYTES } from '../../core/event.ts';
import type { MergedRecord, SentRecord, SessionRecord } from '../../core/output.ts';

const MAX_REVISION = 2 ** 31 - 1;
/** In milliseconds it is a whole number still. */
const MAX_DURATION_SECONDS = Number.MAX_SAFE_INTEGER / 1000;
const STATES: readonly unknown[] = ['active', 'closed', 'amended'];

type Field = keyof SessionRecord;
type Raw = Record<string, unknown>;

const TEXTS: readonly Field[] = ['channel'];
const TEXTS_OR_NULL: readonly Field[] = [
  'tier',
  'closeReason',
  'entryPage',
  'exitPage',
  'referrer',
  'device',
  'previousSessionId',
];
const TIMES: readonly Field[] = ['startTime', 'endTime'];
const TIMES_OR_NULL: readonly Field[] = ['firstConversionTime', 'firstArrival', 'lastArrival'];
const COUNTS: readonly Field[] = [
  'eventCount',
  'pageViews',
  'distinctPages',
  'searches',
  'addToCarts',
  'purchases',
  'lateCount',
  'duplicateCount',
  'endOvertakenCount',
];
const FLAGS: readonly Field[] = [
  'distinctPagesTruncated',
  'hasConversion',
  'bounced',
  'engaged',
  'trailTruncated',
];
const MAPS: readonly Field[] = ['firstEventTimes', 'utm'];
const COUNTS_BY_NAME: readonly Field[] = ['eventCounts'];
const SUMS_BY_NAME: readonly Field[] = ['revenue', 'cartValue'];

/** The record in these bytes; null when they are not one. */
export function readSentRecord(bytes: Uint8Array): SentRecord | null {
  const raw = parse(bytes);
  if (!isMap(raw) || !isId(raw['sessionId']) || !isId(raw['userId'])) return null;
  if (!isCount(raw['revision']) || raw['revision'] > MAX_REVISION) return null;
  if (raw['state'] === 'merged') {
    return isId(raw['mergedInto']) ? (raw as unknown as MergedRecord) : null;
  }
  return isSession(raw) ? (raw as unknown as SessionRecord) : null;
}

function isSession(raw: Raw): boolean {
  const duration = raw['durationSeconds'];
  return (
    STATES.includes(raw['state']) &&
    typeof duration === 'number' &&
    duration >= 0 &&
    duration <= MAX_DURATION_SECONDS &&
    TEXTS.every((field) => typeof raw[field] === 'string') &&
    TEXTS_OR_NULL.every((field) => raw[field] === null || typeof raw[field] === 'string') &&
    TIMES.every((field) => isTime(raw[field])) &&
    TIMES_OR_NULL.every((field) => raw[field] === null || isTime(raw[field])) &&
    COUNTS.every((field) => isCount(raw[field])) &&
    FLAGS.every((field) => typeof raw[field] === 'boolean') &&
    MAPS.every((field) => isMap(raw[field])) &&
    COUNTS_BY_NAME.every((field) => isMapOf(raw[field], isCount)) &&
    SUMS_BY_NAME.every((field) => isMapOf(raw[field], Number.isFinite)) &&
    Array.isArray(raw['trail'])
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return null;
  }
}

function isMap(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMapOf(value: unknown, isRight: (inner: unknown) => boolean): boolean {
  return isMap(value) && Object.values(value).every(isRight);
}

/** As many characters as an id may have bytes; longer ones don't fit into an index. */
function isId(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID_BYTES;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function isTime(value: unknown): boolean {
  if (typeof value !== 'string' || !ISO_TIME.test(value)) return false;
  const timeMs = Date.parse(value);
  return timeMs >= 0 && new Date(timeMs).toISOString() === value;
}
