/** Figures are order-independent and mergeable, and records give back what was put in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import { describe } from '../../src/core/describe.ts';
import { RecordWriter } from '../../src/core/encoding.ts';
import type { Event } from '../../src/core/event.ts';
import { Figures } from '../../src/core/figures.ts';
import type { SessionRecord } from '../../src/core/output.ts';
import { decodeSession, decodeUser, encodeSession, encodeUser } from '../../src/core/record.ts';
import { absorb, Session } from '../../src/core/session.ts';
import { User } from '../../src/core/user.ts';
import { makeEvent } from '../support/make-event.ts';
import { figuresOf, type Figures as NaiveFigures } from './oracle-figures.ts';
import { START_MS } from './streams.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const IDENTITY = { logId: 'log', partition: 0 };

const COMMON_TYPES = ['PAGE_VIEW', 'PURCHASE', 'ADD_TO_CART', 'SEARCH', 'OTHER', '__proto__'];
const ownName = (prefix: string, count: number) => fc.nat(count).map((n) => `${prefix}${n}`);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 50 })
  .map((raw) => raw.toWellFormed());

const parts = fc.record({
  eventType: fc.oneof(fc.constantFrom(...COMMON_TYPES), fc.constant('PURCHASE'), ownName('t', 90)),
  timestamp: fc.nat(40).map((after) => START_MS + after * 500),
  page: optional(fc.oneof(ownName('/', 90), text)),
  referrer: optional(text),
  device: optional(fc.constantFrom('mobile', 'desktop')),
  utmSource: optional(text),
  utmMedium: optional(fc.constant('email')),
  utmCampaign: optional(text),
  amountMicros: optional(fc.bigInt({ min: -(10n ** 21n), max: 10n ** 21n })),
  currency: ownName('C', 80),
});

/** Up to 300 events; some kinds many times over, so that the bounded figures overflow. */
const events: fc.Arbitrary<Event[]> = fc
  .array(parts, { minLength: 1, maxLength: 300, size: 'max' })
  .map((list) => list.map((each, index) => makeEvent({ id: `e${index}`, userId: 'u', ...each })));

function sessionOf(list: readonly Event[], offset: number): Session {
  const session = new Session(offset, list[0]!.timestamp);
  for (const event of list) session.add(event, offset, null);
  return session;
}

function told(session: Session): SessionRecord {
  return describe(IDENTITY, DEFAULT_DEFINITION, 'u', session, 'closed', 0);
}

/** The figures that the naive model has too, in its order. */
function figuresTold(session: Session): unknown {
  const record = told(session) as unknown as Record<string, unknown>;
  const keys = Object.keys(naive([makeEvent({ id: 'e', userId: 'u', timestamp: 0 })]));
  return Object.fromEntries(keys.map((key) => [key, record[key]]));
}

function naive(list: readonly Event[]): NaiveFigures {
  return figuresOf(list.map((event, offset) => ({ event, offset, arrivalMs: null })));
}

test('figures are those of the sorted events, however they are split and merged', () => {
  const choices = fc.array(fc.nat(7), { minLength: 320, maxLength: 320 });
  fc.assert(
    fc.property(events, choices, (list, picks) => {
      const groups = new Map<number, Event[]>();
      for (const [index, event] of list.entries()) {
        const group = picks[index]!;
        groups.set(group, [...(groups.get(group) ?? []), event]);
      }
      const sessions = [...groups.values()].map(sessionOf);
      // Any two of them in any order: every shape of tree comes up.
      for (let pick = 300; sessions.length > 1; pick++) {
        const [one] = sessions.splice(picks[pick]! % sessions.length, 1);
        absorb(sessions[picks[pick + 8]! % sessions.length]!, one!);
      }
      assert.deepEqual(figuresTold(sessions[0]!), naive(list));
    }),
    { numRuns: RUNS },
  );
});

test('the empty figures are the unit, on either side', () => {
  fc.assert(
    fc.property(events, (list) => {
      const left = sessionOf(list, 0);
      left.figures().merge(new Figures());
      assert.deepEqual(figuresTold(left), naive(list));
      const right = sessionOf(list, 0);
      const unit = new Figures();
      unit.merge(right.figures());
      right.folded = unit;
      right.waiting = 0;
      assert.deepEqual(figuresTold(right), naive(list));
    }),
    { numRuns: RUNS },
  );
});

test('records give back what was put in, byte for byte', () => {
  const marks = fc.record({
    live: fc.boolean(),
    ended: fc.boolean(),
    cutBefore: fc.boolean(),
    cutAfter: fc.boolean(),
    changed: fc.boolean(),
    sent: fc.constantFrom(0, 1, 2),
    closedBy: fc.constantFrom(null, 'max_duration', 'max_events', 'explicit', 'erased'),
    revision: fc.nat(1000),
    previousOffset: fc.constantFrom(-1, 0, 2 ** 40),
    offset: fc.maxSafeNat().map((offset) => Math.floor(offset / 4)),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(events, marks), { maxLength: 3 }),
      fc.nat(1e9),
      (list, minute) => {
        const user = new User('u', true);
        user.storedMinute = minute % 7 === 0 ? null : minute;
        for (const [own, { live, offset, ...rest }] of list) {
          const session = sessionOf(own, offset);
          user.append(Object.assign(session, rest, { tiersPassed: live ? 0 : 2 }));
        }
        const writer = new RecordWriter();
        const record = encodeUser(writer, user);
        const bodies = user.sessions.map((session) => encodeSession(writer, session));
        const copy = decodeUser('u', record);
        for (const [index, session] of copy.sessions.entries()) {
          if (!session.hasBody) decodeSession(session, bodies[index]!);
        }
        const secondWriter = new RecordWriter();
        assert.deepEqual(encodeUser(secondWriter, copy), record);
        // Telling may fold the pending events, so it comes after the bytes.
        for (const [index, session] of copy.sessions.entries()) {
          const original = user.sessions[index]!;
          assert.deepEqual(encodeSession(secondWriter, session), bodies[index]);
          assert.deepEqual(unsealedOf(session), unsealedOf(original));
          assert.deepEqual(told(session), told(original));
          assert.deepEqual(headerOf(session), headerOf(original));
        }
      },
    ),
    { numRuns: RUNS },
  );
});

function unsealedOf(session: Session): unknown {
  const waiting = session.waitingEvents().map(({ idHash }) => idHash);
  return [session.ids?.tail ?? [], waiting];
}

function headerOf(session: Session): unknown {
  const { offset, start, end, eventCount, revision, sent, changed, tiersPassed } = session;
  const { ended, cutBefore, cutAfter, closedBy, previousOffset } = session;
  const chunks = session.ids?.chunks;
  return {
    ...{ offset, start, end, eventCount, revision, sent, changed, tiersPassed, ended, cutBefore },
    ...{ cutAfter, closedBy, previousOffset, chunks },
  };
}
