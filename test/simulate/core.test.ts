/** The core against the naive model, wherever the stream is cut; the seed is in each failure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describe } from '../../src/core/describe.ts';
import type { Event } from '../../src/core/event.ts';
import type { Fate, SentRecord, SessionRecord } from '../../src/core/output.ts';
import { Partition } from '../../src/core/partition.ts';
import { StoredPartition } from '../support/stored-partition.ts';
import { Oracle, type OracleSend, type OracleSession } from './oracle.ts';
import { anyStream, longStream, type Stream } from './streams.ts';

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
    { numRuns: Math.ceil(RUNS / 100) },
  );
});
