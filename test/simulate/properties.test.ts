/** What must hold of sessions whatever the events; fast-check prints the seed of a failure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SessionDefinition } from '../../src/core/definition.ts';
import { partitionOf } from '../../src/core/hash.ts';
import type { SentRecord, SessionRecord } from '../../src/core/output.ts';
import { makeEvent } from '../support/make-event.ts';
import { StoredPartition } from '../support/stored-partition.ts';
import { sortAndSplit } from './oracle.ts';
import { type Figures, figuresOf, type Placed } from './oracle-figures.ts';
import { type Cut, plainStream, START_MS, smallDefinition } from './streams.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 1000);

/** Closes everything that is still open. */
const FLUSH = makeEvent({ id: 'flush', userId: 'flush', timestamp: START_MS + 1e9 });

/** Runs events in this order over a store, all sessions closed at the end. */
function run(
  definition: SessionDefinition,
  placed: readonly Placed[],
  logId = 'log',
  cuts: readonly Cut[] = [],
): SentRecord[] {
  const stored = new StoredPartition(definition, logId, 0);
  for (const [index, { event, offset, arrivalMs }] of placed.entries()) {
    stored.apply(event, offset, arrivalMs);
    const cut = cuts[index] ?? 'sweep';
    if (cut === 'nothing') continue;
    stored.sweep();
    if (cut === 'sweep') continue;
    stored.commit();
    if (cut === 'restart') stored.restart();
  }
  stored.apply(FLUSH, placed.length, null);
  stored.sweep();
  stored.commit();
  return stored.sent;
}

/** The last revision of each session that was not absorbed. */
function finals(sent: readonly SentRecord[]): SessionRecord[] {
  const newest = new Map<string, SentRecord>();
  for (const record of sent) {
    const known = newest.get(record.sessionId);
    assert.ok(known === undefined || known.revision < record.revision, 'a revision did not rise');
    newest.set(record.sessionId, record);
  }
  return [...newest.values()].filter((record) => record.state !== 'merged');
}

/** Figures that order can't change, of all sessions, in an order of their own. */
function comparable(sessions: readonly (SessionRecord | (Figures & { userId: string }))[]) {
  const keys = Object.keys(figuresOf([{ event: FLUSH, offset: 0, arrivalMs: null }]));
  return sessions
    .map((session) => {
      const all = session as unknown as Record<string, unknown>;
      return JSON.stringify([session.userId, ...keys.map((key) => sortedKeys(all[key]))]);
    })
    .sort();
}

function sortedKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Distinct events with how long each was under way, at most the grace. */
const delayed = fc
  .tuple(
    plainStream,
    fc.array(fc.nat(40), { minLength: 40, maxLength: 40 }),
    fc.constantFrom(0, 7, 40),
  )
  .map(([stream, delays, graceMs]) => {
    const events = distinct(stream.steps.map((step) => step.placed)).map(({ event }) => event);
    const arrived = events
      .map((event, index) => ({ event, at: event.timestamp + Math.min(delays[index]!, graceMs) }))
      .sort((a, b) => a.at - b.at)
      .map(({ event }, offset): Placed => ({ event, offset, arrivalMs: null }));
    return {
      graceMs,
      arrived,
      inTime: [...arrived].sort((a, b) => a.event.timestamp - b.event.timestamp),
    };
  });

/** The first arrival of each event. */
function distinct(placed: readonly Placed[]): Placed[] {
  const first = new Map<number, Placed>();
  for (const each of placed) {
    if (!first.has(each.event.idHash)) first.set(each.event.idHash, each);
  }
  return [...first.values()];
}

const atOffsets = (placed: readonly Placed[]): Placed[] =>
  placed.map((each, offset) => ({ ...each, offset }));

test('any arrival order within grace gives the same final sessions, each sent once', () => {
  fc.assert(
    fc.property(delayed, ({ graceMs, arrived, inTime }) => {
      const definition = { ...smallDefinition, tiersMs: [graceMs] };
      const sent = run(definition, arrived);
      const split = sortAndSplit(arrived, definition.gapMs);
      const wanted = split.map((run) => ({ userId: run[0]!.event.userId, ...figuresOf(run) }));
      assert.deepEqual(comparable(finals(sent)), comparable(wanted));
      const ordered = run(definition, atOffsets(inTime));
      assert.deepEqual(comparable(finals(ordered)), comparable(wanted));
      for (const { state, revision } of [...sent, ...ordered]) {
        assert.ok(state === 'merged' || (state === 'closed' && revision === 1));
      }
    }),
    { numRuns: RUNS },
  );
});

test('the last revision of each session equals sort-and-split of everything accepted', () => {
  // No session settles before the end: any event is accepted, however late.
  const definition = { ...smallDefinition, tiersMs: [4, 15, 1e8] };
  fc.assert(
    fc.property(plainStream, ({ steps }) => {
      const placed = steps.map((step) => step.placed);
      const sent = run(definition, placed);
      const wanted = sortAndSplit(distinct(placed), definition.gapMs).map((run) => ({
        userId: run[0]!.event.userId,
        ...figuresOf(run),
      }));
      assert.deepEqual(comparable(finals(sent)), comparable(wanted));
    }),
    { numRuns: RUNS },
  );
});

test('reading the same log again gives the same ids and revisions, another log shares none', () => {
  fc.assert(
    fc.property(plainStream, ({ definition, steps }) => {
      const placed = steps.map((step) => step.placed);
      const cuts = steps.map((step) => step.cut);
      const sent = run(definition, placed, 'one log');
      const again = run(definition, placed, 'one log', cuts);
      const told = (records: readonly SentRecord[]) =>
        records.map((each) => `${each.sessionId} ${each.state} ${each.revision}`).sort();
      assert.deepEqual(told(again), told(sent));
      const ids = new Set(sent.map((each) => each.sessionId));
      for (const { sessionId } of run(definition, placed, 'another'))
        assert.ok(!ids.has(sessionId));
    }),
    { numRuns: RUNS },
  );
});

test('splitting over partitions changes nothing as long as no event is late', () => {
  fc.assert(
    fc.property(delayed, fc.integer({ min: 2, max: 5 }), ({ graceMs, arrived }, count) => {
      const definition = { ...smallDefinition, tiersMs: [graceMs] };
      const whole = finals(run(definition, arrived));
      const parts = Array.from({ length: count }, (_, partition) =>
        arrived.filter(({ event }) => partitionOf(event.userId, count) === partition),
      );
      const split = parts.flatMap((part) => finals(run(definition, atOffsets(part))));
      const withoutFlush = (sessions: SessionRecord[]) =>
        comparable(sessions.filter((session) => session.userId !== FLUSH.userId));
      assert.deepEqual(withoutFlush(split), withoutFlush(whole));
    }),
    { numRuns: RUNS },
  );
});

test('events given again, before their session is settled, change only the counters', () => {
  const definition = { ...smallDefinition, tiersMs: [4, 15, 1e8], endTypes: ['SESSION_END'] };
  fc.assert(
    fc.property(plainStream, fc.array(fc.nat(39), { maxLength: 30 }), ({ steps }, again) => {
      const withIds = steps.map((step) => step.placed).filter(({ event }) => event.idHash > 0);
      if (withIds.length === 0) return;
      const once = distinct(withIds);
      const twice = [...once];
      for (const index of again) {
        const original = once[index % once.length]!;
        const after = twice.indexOf(original) + 1 + (index % 7);
        twice.splice(after, 0, { ...original });
      }
      const cuts = twice.map((_, index): Cut => (index % 3 === 0 ? 'restart' : 'sweep'));
      const sent = run(definition, atOffsets(twice), 'log', cuts);
      assert.deepEqual(
        comparable(finals(sent)),
        comparable(finals(run(definition, atOffsets(once)))),
      );
      const counted = finals(sent).reduce((sum, session) => sum + session.duplicateCount, 0);
      // Those that come after the last sending of their session are counted, but not sent.
      assert.ok(counted <= again.length);
    }),
    { numRuns: RUNS },
  );
});
