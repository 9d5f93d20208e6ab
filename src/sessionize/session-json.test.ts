/** The fast line of NDJSON against JSON.stringify, and the columns of CSV against the record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_DEFINITION } from '../core/definition.ts';
import { describe } from '../core/describe.ts';
import type { Event } from '../core/event.ts';
import { JsonBytes } from '../core/json-bytes.ts';
import type { Described } from '../core/output.ts';
import { Session } from '../core/session.ts';
import { SESSION_FIELDS, writeSession } from '../core/session-json.ts';
import { csvRow } from './session-csv.ts';

const IDENTITY = { logId: 'log', partition: 3 };
const TIMES = fc.oneof(fc.integer({ min: 0, max: 5e6 }), fc.integer({ min: 0, max: 253e12 }));
const TEXTS = fc.oneof(
  fc.constantFrom(
    '/',
    '/a',
    'mobile',
    'https://www.google.com/',
    'say "x"',
    'a\\b',
    'tab\t',
    'é😀',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const TYPES = fc.oneof(
  fc.constantFrom('PAGE_VIEW', 'PURCHASE', 'ADD_TO_CART', 'SEARCH', '__proto__', '7', 'OTHER'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }),
);
const AMOUNTS = fc.oneof(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 20n }), fc.constant(null));
const EVENTS: fc.Arbitrary<Event> = fc
  .record({
    idHash: fc.integer({ min: 1 }),
    userId: fc.constant('user'),
    eventType: TYPES,
    timestamp: TIMES,
    page: fc.option(TEXTS),
    referrer: fc.option(TEXTS),
    device: fc.option(TEXTS),
    utmSource: fc.option(TEXTS),
    utmMedium: fc.option(fc.constantFrom('cpc', 'email', 'Social', 'x')),
    utmCampaign: fc.option(TEXTS),
    amountMicros: AMOUNTS,
  })
  .chain((event) =>
    fc
      .constantFrom('EUR', 'USD', 'XXX')
      .map((currency) => ({ ...event, currency: event.amountMicros === null ? null : currency })),
  );

/** Sessions as the core may make them; not all of them by way of a partition. */
const DESCRIBED: fc.Arbitrary<Described> = fc
  .record({
    events: fc.array(EVENTS, { minLength: 1, maxLength: 100 }),
    userId: TEXTS.filter((text) => text !== ''),
    closedBy: fc.constantFrom(null, 'max_events' as const, 'explicit' as const),
    state: fc.constantFrom('active' as const, 'closed' as const),
    counts: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
    arrivals: fc.option(TIMES),
    previousOffset: fc.constantFrom(-1, 0, 17, 2 ** 40),
  })
  .map(({ events, userId, closedBy, state, counts, arrivals, previousOffset }) => {
    const session = new Session(12, events[0]!.timestamp);
    for (const [offset, event] of events.entries()) session.add(event, offset, arrivals);
    session.closedBy = closedBy;
    session.previousOffset = previousOffset;
    session.revision = counts[0]!;
    session.lateCount = counts[1]!;
    session.duplicateCount = counts[2]!;
    session.endOvertakenCount = counts[3]!;
    const tier = state === 'active' ? null : 0;
    return [IDENTITY, DEFAULT_DEFINITION, userId, session, state, tier];
  });

test('the fast line is what JSON.stringify gives', () => {
  const json = new JsonBytes(1 << 20);
  fc.assert(
    fc.property(DESCRIBED, (described) => {
      writeSession(json, described);
      const text = Buffer.from(json.take()).toString();
      assert.equal(text, JSON.stringify(describe(...described)));
    }),
    { numRuns: 1000 },
  );
});

test('the longest line there can be fits where a chunk is taken for full', () => {
  const session = new Session(0, 0);
  const quotes = '"'.repeat(64);
  for (let number = 0; number < 200; number++) {
    const long = '\u0001'.repeat(512);
    const eventType = `${String(number).padStart(3, 'x')}${quotes}`.slice(0, 64);
    const texts = { referrer: long, device: long, utmSource: long, utmMedium: long };
    session.add(
      {
        ...texts,
        idHash: number + 1,
        userId: 'u',
        eventType,
        timestamp: number,
        page: long,
        utmCampaign: long,
        amountMicros: null,
        currency: null,
      },
      number,
      null,
    );
  }
  const described: Described = [
    IDENTITY,
    DEFAULT_DEFINITION,
    '"'.repeat(256),
    session,
    'closed',
    0,
  ];
  const line = JSON.stringify(describe(...described));
  assert.ok(Buffer.byteLength(line) < 1 << 18);
  assert.ok(Buffer.byteLength(csvRow(describe(...described))) < 1 << 18);
});

test('CSV has the columns of the record, in its order', () => {
  fc.assert(
    fc.property(DESCRIBED, (described) => {
      const record = describe(...described);
      assert.deepEqual(Object.keys(record), SESSION_FIELDS);
      assert.deepEqual(
        fieldsOf(csvRow(record)),
        SESSION_FIELDS.map((column) => told(record[column])),
      );
    }),
  );
});

function told(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function fieldsOf(row: string): string[] {
  assert.ok(row.endsWith('\n'));
  const fields = row.slice(0, -1).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g);
  return [...fields].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);
}
