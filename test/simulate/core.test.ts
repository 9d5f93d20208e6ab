/** The core against the naive model, wherever the stream is cut; the seed is in each failure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describe } from '../../src/core/describe.ts';
import type { Event } from '../../src/core/event.ts';
import type { Fate, SentRecord, SessionRecord } from '../../src/core/output.ts';
import { Partition } from '../../src/core/partition.ts';
import { makeEvent } from '../support/make-event.ts';
import { StoredPartition } from '../support/stored-partition.ts';
import { Oracle, type OracleSend, type OracleSession } from './oracle.ts';
import { anyStream, longStream, START_MS, type Stream, smallDefinition } from './streams.ts';

const LOG_ID = 'simulated';
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 3000);

interface Outcome {
  readonly fates: Fate[];
  readonly late: Event[];
  /** What was sent of each session, in order. */
  readonly sent: Record<string, unknown[]>;
  /** Live sessions as they stand. */
  readonly open: unknown[];
  readonly clockMs: number;
}

function bySession(sent: readonly (OracleSend | SentRecord)[]): Record<string, unknown[]> {
  const sequences: Record<string, unknown[]> = {};
  for (const record of sent) {
    sequences[record.sessionId] ??= [];
    sequences[record.sessionId]!.push(record.state === 'merged' ? record : plain(record));
  }
  return sequences;
}

/** Without what the model leaves to the core. */
function plain(record: SessionRecord | OracleSend): unknown {
  const { channel: _, ...rest } = record as SessionRecord;
  return rest;
}

function sortedOpen(sessions: readonly (SessionRecord | OracleSession)[]): unknown[] {
  return sessions
    .map((session) => {
      // An open session's reason and state are said when it closes.
      const { channel, state, revision, tier, closeReason, ...rest } = session as SessionRecord;
      return rest;
    })
    .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
}

function openSessions(partition: Partition): SessionRecord[] {
  return [...partition.users.values()].flatMap((user) =>
    user.sessions
      .filter((session) => session.tiersPassed === 0)
      .map((session) =>
        describe(partition.identity, partition.definition, user.id, session, 'active', null),
      ),
  );
}

function naive({ definition, steps }: Stream): Outcome {
  const oracle = new Oracle(definition, LOG_ID, 3);
  const fates = steps.map(({ placed }) => oracle.apply(placed));
  return {
    fates,
    late: oracle.late.map((placed) => placed.event),
    sent: bySession(oracle.sent),
    open: sortedOpen(oracle.open()),
    clockMs: oracle.clockMs,
  };
}

function inMemory({ definition, steps }: Stream): Outcome {
  const identity = { logId: LOG_ID, partition: 3 };
  const partition = new Partition({ definition, identity, stored: false });
  const late: Event[] = [];
  const fates = steps.map(({ placed, cut }) => {
    const fate = partition.apply(placed.event, placed.offset, placed.arrivalMs);
    if (fate === 'late') late.push(placed.event);
    if (cut !== 'nothing') partition.sweep(partition.clock, 1000);
    return fate;
  });
  partition.sweep(partition.clock, 1000);
  return {
    fates,
    late,
    sent: bySession(partition.takeSent()),
    open: sortedOpen(openSessions(partition)),
    clockMs: partition.clock,
  };
}

function overStore({ definition, steps }: Stream): Outcome {
  const stored = new StoredPartition(definition, LOG_ID, 3);
  const late: Event[] = [];
  const fates = steps.map(({ placed, cut }) => {
    const fate = stored.apply(placed.event, placed.offset, placed.arrivalMs);
    if (fate === 'late') late.push(placed.event);
    if (cut === 'nothing') return fate;
    stored.sweep();
    if (cut === 'sweep') return fate;
    stored.commit();
    if (cut === 'evict') stored.evict(0);
    if (cut === 'restart') stored.restart();
    return fate;
  });
  stored.sweep();
  stored.commit();
  return {
    fates,
    late,
    sent: bySession(stored.sent),
    open: sortedOpen(openSessions(stored.loadAll())),
    clockMs: stored.partition.clock,
  };
}

test('the core in memory gives what the naive model gives, however batches are cut', () => {
  fc.assert(
    fc.property(anyStream, (stream) => assert.deepEqual(inMemory(stream), naive(stream))),
    { numRuns: RUNS },
  );
});

test('commits, evictions and restarts change nothing', () => {
  fc.assert(
    fc.property(anyStream, (stream) => assert.deepEqual(overStore(stream), naive(stream))),
    { numRuns: RUNS },
  );
});

test('nor do they in sessions of hundreds of events', () => {
  fc.assert(
    fc.property(longStream, (stream) => assert.deepEqual(overStore(stream), naive(stream))),
    // To shrink hundreds of events would take minutes.
    { numRuns: Math.ceil(RUNS / 100), endOnFailure: true },
  );
});

test('nothing is left in the store of what is settled', () => {
  fc.assert(
    fc.property(fc.oneof(anyStream, longStream), ({ definition, steps }) => {
      const stored = new StoredPartition(definition, LOG_ID, 3);
      const flush = makeEvent({ id: 'flush', userId: 'flush', timestamp: START_MS + 1e9 });
      for (const { placed, cut } of steps) {
        stored.apply(placed.event, placed.offset, placed.arrivalMs);
        if (cut !== 'nothing') stored.commit();
        if (cut === 'restart') stored.restart();
      }
      stored.apply(flush, steps.length, null);
      stored.sweep();
      stored.commit();
      assert.deepEqual([...stored.records.keys()], [Buffer.from('\x01flush').toString('hex')]);
      assert.deepEqual([...stored.deadlines.keys()], ['flush']);
    }),
    { numRuns: Math.ceil(RUNS / 20), endOnFailure: true },
  );
});

test('two sessions of hundreds of events become one, and know all their events again', () => {
  const definition = { ...smallDefinition, gapMs: 1000, tiersMs: [10_000] };
  const stored = new StoredPartition(definition, LOG_ID, 3);
  const timeOf = (index: number) => START_MS + index + (index < 700 ? 0 : 1500);
  const event = (index: number) =>
    makeEvent({ id: `e${index}`, userId: 'u', timestamp: timeOf(index) });
  for (let index = 0; index < 1400; index++) {
    stored.apply(event(index), index, null);
    if (index % 300 === 0) stored.commit();
    if (index % 900 === 0) stored.restart();
  }
  const bridge = makeEvent({ id: 'bridge', userId: 'u', timestamp: START_MS + 1400 });
  assert.equal(stored.apply(bridge, 1400, null), 'bridged');
  for (const again of ['at once', 'after a restart']) {
    for (let index = 0; index < 1400; index++) {
      assert.equal(stored.apply(event(index), 2000 + index, null), 'duplicate', again);
    }
    stored.commit();
    stored.restart();
  }
  const flush = makeEvent({ id: 'flush', userId: 'flush', timestamp: START_MS + 1e9 });
  stored.apply(flush, 5000, null);
  stored.sweep();
  stored.commit();
  const [merged, closed] = stored.sent;
  assert.equal(merged?.state, 'merged');
  assert.equal(closed?.state === 'closed' && closed.eventCount, 1401);
  assert.equal(closed?.state === 'closed' && closed.duplicateCount, 2800);
  assert.equal(stored.records.size, 1);
});
