/** The reader of bytes against JSON.parse, decodeEvent and packEvent: the same event, or none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEvent } from './event.ts';
import { EventReader } from './event-reader.ts';
import { MAX_PACKED_BYTES, packEvent, unpackEvent } from './packed-event.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 3000);

/** What the slow way makes of a text; null where it is no event. */
function naive(text: string): { readonly userId: string; readonly packed: Buffer } | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const decoded = decodeEvent(value, 'fallback');
  if (!decoded.ok) return null;
  const packed = Buffer.alloc(MAX_PACKED_BYTES);
  const end = packEvent(decoded.event, packed, 0);
  return { userId: decoded.event.userId, packed: packed.subarray(0, end) };
}

const reader = new EventReader();

/** What the reader makes of it; null when it gives up. */
function read(text: string): { readonly userId: string; readonly packed: Buffer } | null {
  // It lies somewhere among other bytes.
  const bytes = Buffer.from(`"x":1}${text}{"y"`);
  const packed = Buffer.alloc(MAX_PACKED_BYTES + 3, 0xaa);
  const end = reader.read(bytes, 6, bytes.length - 4, packed, 3);
  if (end === 0) return null;
  const userId = bytes.toString('latin1', reader.userStart, reader.userEnd);
  return { userId, packed: packed.subarray(3, end) };
}

const PLAIN = {
  eventId: 'event-1',
  userId: 'user-1',
  eventType: 'PURCHASE',
  timestamp: '2026-11-23T10:00:00.123Z',
  page: '/products/1',
  referrer: 'https://example.com/',
  device: 'mobile',
  utm: { source: 'news', medium: 'email', campaign: 'spring' },
  amount: 59.9,
  currency: 'EUR',
};

const times = fc.oneof(
  fc
    .date({ min: new Date(-1e12), max: new Date(2.6e14), noInvalidDate: true })
    .map((date) => date.toISOString()),
  fc.nat(86_400_000).map((ms) => new Date(1.7e12 + ms).toISOString()),
  fc.constantFrom(
    '2026-02-30T10:00:00.000Z',
    '2026-11-23T24:00:00.000Z',
    '2026-11-23t10:00:00.000Z',
    '2026-11-23 10:00:00.000Z',
    '2026-11-23T10:60:00.000Z',
    '2026-11-23T10:00:60.000Z',
    '2026-11-23T10:00:00,000Z',
    '2026-11-23T10:00:00.00:Z',
    '2026-11-23T10:00:00+01:00',
    '2026-11-23T10:00:0x.000Z',
    1.7e12,
    1.7e9,
    null,
    '',
  ),
);
const words = fc.oneof(
  fc.constantFrom(
    'PAGE_VIEW',
    'ADD_TO_CART',
    'PURCHASE',
    'mobile',
    'tablet',
    'EUR',
    'eur',
    'mobilE',
  ),
  fc.constantFrom('x'.repeat(64), 'x'.repeat(65), 'x'.repeat(256), 'x'.repeat(257)),
  fc.constantFrom('x'.repeat(512), 'x'.repeat(513), 'é'.repeat(128), 'é'.repeat(129)),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '\u0000', '\ud800', 'a\\b', 'a"b', 'é', '😀'),
);
const amounts = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.double({ min: 0, max: 1e4 }).map((value) => Math.round(value * 1e6) / 1e6),
  fc.nat(100_000).map((cents) => cents / 100),
  fc.constantFrom(0, -0, 1e9, 999_999_999.999_999, 1e15, 1e16, 1e-7, 123_456_789_012),
  fc.constantFrom('59.90', '1e3', '', 'x', '007'),
);
const anything = fc.oneof(
  words,
  amounts,
  fc.constantFrom(null, true, [], ['a'], {}, { source: 1 }),
);
const field = <T>(usual: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: anything, weight: 1 });
const utm = fc.record(
  { source: field(words), medium: field(words), campaign: field(words) },
  { requiredKeys: [] },
);
const objects = fc.record(
  {
    ...{ eventId: field(words), userId: field(words), eventType: field(words) },
    ...{ timestamp: field(times), page: field(words), referrer: field(words) },
    ...{ device: field(words), utm: field(utm), amount: field(amounts) },
    ...{ currency: field(fc.constantFrom('EUR', 'usd', 'XXX', 'EURO')), more: fc.jsonValue() },
  },
  { requiredKeys: [] },
);
/** Usual ones with a few things changed, and others; in any order. */
const texts = fc
  .tuple(fc.boolean(), objects, fc.nat(), fc.constantFrom(0, 0, 1))
  .map(([isUsual, object, turn, indent]) => {
    const keep = Object.entries(object).slice(0, isUsual ? turn % 3 : undefined);
    const whole = isUsual ? { ...PLAIN, ...Object.fromEntries(keep) } : object;
    const entries = Object.entries(whole);
    const turned = [...entries.slice(turn % 12), ...entries.slice(0, turn % 12)];
    return JSON.stringify(Object.fromEntries(turned), null, indent);
  });

test('it reads what the slow way reads, or gives up', () => {
  let reads = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const found = read(text);
      if (found === null) return;
      reads++;
      assert.deepEqual(found, naive(text), text);
    }),
    { numRuns: RUNS },
  );
  assert.ok(reads > RUNS / 10, `gave up too often: ${reads} of ${RUNS}`);
});

test('a byte changed, left out or put in', () => {
  const plain = JSON.stringify(PLAIN);
  const bytes = fc.constantFrom(
    ...'"{}[],:\\ \t\n0159.-+eEtfnuéA',
    '\u0001',
    'null',
    '"userId":"z"',
  );
  fc.assert(
    fc.property(fc.nat(plain.length), fc.nat(1), bytes, (at, cut, put) => {
      const text = plain.slice(0, at) + put + plain.slice(at + cut);
      const found = read(text);
      if (found !== null) assert.deepEqual(found, naive(text), text);
    }),
    { numRuns: RUNS },
  );
});

test('it reads the usual without giving up', () => {
  const { utm: _, ...withoutUtm } = PLAIN;
  for (const event of [
    PLAIN,
    withoutUtm,
    { ...PLAIN, eventType: 'OWN_TYPE', amount: 7, currency: undefined },
    { ...PLAIN, page: undefined, device: null, extra: { deep: [1, 'é', null] } },
  ]) {
    const text = JSON.stringify(event);
    assert.deepEqual(read(text), naive(text));
    assert.notEqual(read(text), null);
  }
});

test('of a key that comes twice the last one counts, which is left to the slow way', () => {
  assert.equal(read('{"userId":"a",'.concat(JSON.stringify(PLAIN).slice(1))), null);
});

test('unpacking gives back what was packed, as far as sessions tell it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 }).map((raw) => raw.toWellFormed());
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
  const events = fc.record({
    idHash: fc.maxSafeInteger(),
    timestamp: fc.integer({ min: -(10 ** 13), max: 253_402_300_799_999 }),
    eventType: fc.constantFrom('PURCHASE', 'ADD_TO_CART'),
    page: optional(text),
    device: optional(text),
    referrer: optional(text),
    utmSource: optional(text),
    utmMedium: optional(text),
    utmCampaign: optional(text),
    amountMicros: fc.bigInt({ min: -(10n ** 21n), max: 10n ** 21n }),
    currency: optional(text),
  });
  fc.assert(
    fc.property(events, (event) => {
      const packed = new Uint8Array(MAX_PACKED_BYTES);
      packEvent(event, packed, 0);
      assert.deepEqual(unpackEvent(packed, 0), { ...event });
    }),
    { numRuns: RUNS },
  );
});
