/** The store and its runs against a plain sort, in memory and through files. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { Decoder } from './decoder.ts';
import type { EventCursor } from './event-cursor.ts';
import { EventStore } from './event-store.ts';
import { hashBytes } from './interner.ts';
import { ID, ROLES, Row, TIME, TYPE, USER } from './row.ts';
import { MergeCursor, Run, writeRun } from './runs.ts';
import { Vocabulary } from './vocabulary.ts';

/** A row by role; an absent value is empty. */
type Values = Partial<Record<(typeof ROLES)[number], string>>;

function rowOf(values: Values): Row {
  const row = new Row();
  row.bytes = Buffer.from(ROLES.map((role) => values[role] ?? '').join(''));
  let at = 0;
  for (const [index, role] of ROLES.entries()) {
    row.starts[index] = at;
    at += Buffer.byteLength(values[role] ?? '');
    row.ends[index] = at;
  }
  return row;
}

function addTo(store: EventStore, decoder: Decoder, values: Values): void {
  const row = rowOf(values);
  const hash = hashBytes(row.bytes, row.starts[USER]!, row.ends[USER]!);
  assert.ok(decoder.decode(row, hash), decoder.message);
  store.add(decoder);
}

/** Everything that a cursor gives, as text. */
function tell(cursor: EventCursor): string[] {
  const told: string[] = [];
  while (cursor.nextUser()) {
    while (cursor.nextEvent()) {
      const texts = [...cursor.texts]
        .slice(TYPE)
        .map((number) => cursor.vocabulary.text(number) ?? '');
      told.push([cursor.user, cursor.time, cursor.idHash, ...texts].join('|'));
    }
  }
  return told;
}

const TIMES = fc.integer({ min: 0, max: 30 }).map((second) => `2026-11-23 10:00:${second + 10}`);
const SMALL = fc.constantFrom('', 'a', 'b', 'é', 'ö😀');
const EVENTS: fc.Arbitrary<Values[]> = fc.array(
  fc.record({
    user: fc.constantFrom('u1', 'u10', 'u2', 'é', '😀', '\uffee'),
    time: TIMES,
    id: fc.constantFrom('', '', 'i1', 'i2', 'i3'),
    type: fc.constantFrom('PAGE_VIEW', 'CLICK', ''),
    page: SMALL,
    referrer: SMALL,
    utmCampaign: SMALL,
    amount: fc.constantFrom('', '1.5', '2'),
    currency: fc.constantFrom('', 'EUR'),
  }),
  { maxLength: 60 },
);

/** The same events sorted by what is told of them: user, time, id, then texts in order. */
function sorted(events: readonly Values[]): string[] {
  const plain = events.map((event) => tell(storeOf([event])));
  return plain
    .flat()
    .map((text) => text.split('|'))
    .sort((one, other) => {
      const [user, time, id, ...texts] = one as [string, string, string, ...string[]];
      const [otherUser, otherTime, otherId, ...otherTexts] = other as typeof one;
      if (user !== otherUser) return user < otherUser! ? -1 : 1;
      const difference = Number(time) - Number(otherTime) || Number(id) - Number(otherId);
      if (difference !== 0) return difference;
      const at = texts.findIndex((text, index) => text !== otherTexts[index]);
      return at < 0 ? 0 : texts[at]! < otherTexts[at]! ? -1 : 1;
    })
    .map((parts) => parts.join('|'));
}

function storeOf(events: readonly Values[]): EventCursor {
  const vocabulary = new Vocabulary();
  const store = new EventStore(vocabulary);
  const decoder = new Decoder(vocabulary, null);
  for (const event of events) addTo(store, decoder, event);
  return store.cursor();
}

test('users and their events come in order', () => {
  fc.assert(
    fc.property(EVENTS, (events) => {
      assert.deepEqual(tell(storeOf(events)), sorted(events));
    }),
    { numRuns: 300 },
  );
});

test('runs, merged in one or two steps and with a small vocabulary, give the same', () => {
  fc.assert(
    fc.property(
      EVENTS,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 1e9),
      (events, count, bytes) => {
        const runs = Array.from({ length: count }, (_, part) => {
          const run = new Run(tmpdir());
          const mine = events.filter((_, index) => index % count === part);
          writeRun(run, storeOf(mine));
          return run;
        });
        assert.deepEqual(tell(new MergeCursor(runs, bytes)), sorted(events));
        const merged = new Run(tmpdir());
        writeRun(merged, new MergeCursor(runs.slice(1), bytes));
        const again = new MergeCursor([merged, runs[0]!], bytes);
        assert.deepEqual(tell(again), sorted(events));
        for (const run of [...runs, merged]) run.close();
      },
    ),
    { numRuns: 60 },
  );
});

test('rows of more than one block keep what is theirs when a role turns up late', () => {
  const vocabulary = new Vocabulary();
  const store = new EventStore(vocabulary);
  const decoder = new Decoder(vocabulary, null);
  const expected: string[] = [];
  for (let index = 0; index < 40_000; index++) {
    const page = index < 20_000 ? '' : `/${index}`;
    const id = index < 30_000 ? '' : `id-${index}`;
    addTo(store, decoder, { user: 'u', time: String(1_795_428_000_000 + index), id, page });
    expected.push(`${1_795_428_000_000 + index}|${decoder.idHash}|${page}`);
  }
  const cursor = store.cursor();
  assert.ok(cursor.nextUser());
  const told: string[] = [];
  while (cursor.nextEvent()) {
    told.push(`${cursor.time}|${cursor.idHash}|${vocabulary.text(cursor.texts[TYPE + 1]!) ?? ''}`);
  }
  assert.deepEqual(told, expected);
  assert.ok(!cursor.nextUser());
  assert.equal(ID, TIME + 1);
});

test('a run that is larger than what is read at a time comes back whole', () => {
  const long = 'x'.repeat(2000);
  const events = Array.from({ length: 2000 }, (_, index) => ({
    user: `u${index % 7}`,
    time: String(1_795_428_000_000 + ((index * 7919) % 2000)),
    page: `${index}${long}`,
  }));
  const run = new Run(tmpdir());
  writeRun(run, storeOf(events));
  assert.ok(run.sizeBytes > 3e6);
  assert.deepEqual(tell(new MergeCursor([run], 1e5)), tell(storeOf(events)));
  run.close();
});
