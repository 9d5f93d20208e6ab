/** Records for the contract suite: made by hand, and by chance. */
import fc from 'fast-check';
import type { MergedRecord, SentRecord, SessionRecord } from '../../src/core/output.ts';

/** A bucket of the rollup begins here. */
export const TIME_0_MS = Date.parse('2026-11-23T10:00:00.000Z');
const TIME_0 = new Date(TIME_0_MS).toISOString();

export function closed(
  sessionId: string,
  revision: number,
  parts: Partial<SessionRecord> = {},
): SessionRecord {
  return {
    sessionId,
    userId: 'user',
    state: 'closed',
    revision,
    tier: '5m',
    closeReason: 'inactivity',
    startTime: TIME_0,
    endTime: TIME_0,
    durationSeconds: 0,
    eventCount: 1,
    eventCounts: { PAGE_VIEW: 1 },
    firstEventTimes: { PAGE_VIEW: TIME_0 },
    entryPage: '/',
    exitPage: '/',
    pageViews: 1,
    distinctPages: 1,
    distinctPagesTruncated: false,
    searches: 0,
    addToCarts: 0,
    purchases: 0,
    revenue: {},
    cartValue: {},
    hasConversion: false,
    firstConversionTime: null,
    referrer: null,
    utm: { source: null, medium: null, campaign: null },
    channel: 'direct',
    device: null,
    bounced: true,
    engaged: false,
    firstArrival: TIME_0,
    lastArrival: TIME_0,
    lateCount: 0,
    duplicateCount: 0,
    endOvertakenCount: 0,
    previousSessionId: null,
    trail: [{ type: 'PAGE_VIEW', page: '/', time: TIME_0 }],
    trailTruncated: false,
    ...parts,
  };
}

export function merged(sessionId: string, mergedInto: string, revision: number): MergedRecord {
  return { sessionId, userId: 'user', state: 'merged', mergedInto, revision };
}

/** Any characters, controls and quotes among them; half of them plain. */
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
const textOrNull = fc.option(text);
const count = fc.oneof(fc.nat(100), fc.nat(Number.MAX_SAFE_INTEGER));
const timeMs = fc.integer({ min: TIME_0_MS, max: TIME_0_MS + 40 * 60_000 - 1 });
const time = timeMs.map((ms) => new Date(ms).toISOString());
const anyTime = fc
  .date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
const names = fc.oneof(fc.constantFrom('PAGE_VIEW', 'OTHER', '__proto__', 'a "b"', ''), text);
const money = fc.dictionary(
  fc.constantFrom('EUR', 'USD', 'JPY', 'XXX'),
  fc.oneof(
    fc.integer({ min: -1e9, max: 1e9 }).map((micros) => micros / 1e6 + 0),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  ),
);

/** A closed session of any content that ended within 40 minutes after `TIME_0_MS`. */
export function session(): fc.Arbitrary<SessionRecord> {
  return fc.record({
    sessionId: fc.uuid(),
    userId: fc.oneof(fc.constantFrom('user', 'other', "o'x", '"'), text),
    state: fc.constantFrom('closed' as const, 'amended' as const),
    revision: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    tier: fc.constantFrom('5m', '1h', '24h'),
    closeReason: fc.constantFrom('inactivity' as const, 'max_events' as const, 'explicit' as const),
    startTime: anyTime,
    endTime: time,
    durationSeconds: fc.nat(100_000_000).map((ms) => ms / 1000),
    eventCount: fc.nat(100_000),
    eventCounts: fc.dictionary(names, count),
    firstEventTimes: fc.dictionary(names, anyTime),
    entryPage: textOrNull,
    exitPage: textOrNull,
    pageViews: count,
    distinctPages: count,
    distinctPagesTruncated: fc.boolean(),
    searches: count,
    addToCarts: count,
    purchases: count,
    revenue: money,
    cartValue: money,
    hasConversion: fc.boolean(),
    firstConversionTime: fc.option(anyTime),
    referrer: textOrNull,
    utm: fc.record({ source: textOrNull, medium: textOrNull, campaign: textOrNull }),
    channel: fc.constantFrom('direct' as const, 'search' as const, 'campaign' as const),
    device: textOrNull,
    bounced: fc.boolean(),
    engaged: fc.boolean(),
    firstArrival: fc.option(anyTime),
    lastArrival: fc.option(anyTime),
    lateCount: count,
    duplicateCount: count,
    endOvertakenCount: count,
    previousSessionId: fc.option(fc.uuid()),
    trail: fc.array(fc.record({ type: text, page: textOrNull, time: anyTime })),
    trailTruncated: fc.boolean(),
  });
}

/** Batches of few ids, so that their records meet: closed, opened again, absorbed, out of order. */
export function batches(): fc.Arbitrary<SentRecord[][]> {
  const id = fc.integer({ min: 0, max: 7 });
  const revision = fc.integer({ min: 1, max: 6 });
  const row = fc
    .record({
      id,
      revision,
      userId: fc.constantFrom('user', 'other'),
      state: fc.constantFrom('active' as const, 'closed' as const, 'amended' as const),
      endMs: timeMs,
      durationSeconds: fc.nat(10_000).map((ms) => ms / 1000),
      eventCount: fc.nat(50),
      hasConversion: fc.boolean(),
    })
    .map(({ id: number, revision: rises, endMs, ...parts }) => {
      const endTime = new Date(endMs).toISOString();
      const startTime = new Date(endMs - parts.durationSeconds * 1000).toISOString();
      return closed(`s${number}`, rises, { ...parts, startTime, endTime });
    });
  // Into a higher number only: sessions never absorb each other in a circle.
  const gone = fc
    .record({ id, into: fc.integer({ min: 1, max: 3 }), revision })
    .map((one) => merged(`s${one.id}`, `s${one.id + one.into}`, one.revision));
  return fc.array(fc.array(fc.oneof({ weight: 4, arbitrary: row }, gone), { maxLength: 8 }), {
    minLength: 1,
    maxLength: 8,
  });
}

/** What a database can hold of a record: no U+0000 and no lone surrogates. */
export function storedForm<T>(value: T): T {
  const form = (inner: unknown): unknown => {
    if (typeof inner === 'string') return inner.replaceAll('\0', '\ufffd').toWellFormed();
    if (Array.isArray(inner)) return inner.map(form);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, one]) => [form(key), form(one)]));
  };
  return form(value) as T;
}
