/** Holds the core, and the naive model that the simulation trusts, against other engines' cases. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_DEFINITION, type SessionDefinition } from '../../src/core/definition.ts';
import { makeEvent } from '../support/make-event.ts';
import {
  CASES_ABSENT,
  type Case,
  type CaseSession,
  type RandomCase,
  readCases,
  readRandomCases,
} from './cases.ts';
import { MACHINES, type Machine, sessionsOf, toldShort } from './machines.ts';

const FOREVER_MS = 1e15;

function definitionOf(gapMs: number, ...tiersMs: number[]): SessionDefinition {
  const unbounded = { maxDurationMs: 0, maxEvents: 0, maxFutureMs: FOREVER_MS };
  return { ...DEFAULT_DEFINITION, ...unbounded, gapMs, tiersMs };
}

/** Sessions as `user start-end xcount`, in order, so that a difference can be read. */
function told(sessions: readonly CaseSession[]): string[] {
  return sessions.map((each) => `${each.key} ${each.start}-${each.end} x${each.count}`).sort();
}

/** The same with the ids of the events at both ends, which lie in the trail as pages. */
function toldWithIds(sessions: readonly (CaseSession & { readonly ids: readonly string[] })[]) {
  return sessions
    .map((each) => `${told([each])} ${each.count > 20 ? 'many' : [...each.ids].sort()}`)
    .sort();
}

interface Outcome {
  readonly final: string[];
  readonly dropped: string[];
}

/**
 * A peer's explicit watermark is the arrival of our events: no event moves our clock beyond its
 * own arrival, so the clock is then the watermark and nothing else.
 */
function runCase(machine: Machine, { inputs, time_model }: Case): Outcome {
  const byWatermark = time_model === 'explicit_watermark';
  let watermark = 0;
  for (const [index, input] of inputs.entries()) {
    if (input.watermark !== undefined) {
      if (!byWatermark) continue;
      watermark = input.watermark;
    }
    const parts =
      input.watermark === undefined
        ? { userId: `:${input.key}`, timestamp: input.ts }
        : { userId: 'watermark', timestamp: input.watermark };
    machine.apply({
      event: makeEvent({ id: `e${index}`, ...parts }),
      offset: index,
      arrivalMs: byWatermark ? watermark : null,
    });
  }
  return {
    final: told(sessionsOf(machine).filter((session) => session.key !== 'watermark')).map((text) =>
      text.slice(1),
    ),
    dropped: machine.late().map((event) => `${event.userId.slice(1)} ${event.timestamp}`),
  };
}

function expected(one: Case): Outcome {
  return {
    final: told(one.expected_final_sessions),
    dropped: one.expected_dropped_inputs.map(({ key, ts }) => `${key} ${ts}`),
  };
}

/** Where the peer's rule is not ours: why, and what ours gives. */
interface Difference {
  readonly why: string;
  readonly ours: Outcome;
}

/** With one tier equal to grace: a closed session is settled and out of reach. */
const KAFKA_ONE_TIER: Record<string, Difference> = {
  'kafka-streams/shouldMergeSessions': {
    why: 'the store of that test keeps closed sessions mergeable; with one tier ours does not',
    ours: { final: ['mel 0-0 x1', 'mel 150000-300001 x2'], dropped: [] },
  },
};

/** With a second tier as long as that store keeps sessions: late events open or amend. */
const KAFKA_SECOND_TIER: Record<string, Difference> = {
  'kafka-streams/shouldLogAndMeterWhenSkippingLateRecordWithZeroGrace': {
    why: 'late for the first tier but not for the last opens a session that is already closed',
    ours: {
      final: ['Late1 0-0 x1', 'OnTime1 0-0 x1', 'dummy 0-0 x1', 'dummy 11-11 x1'],
      dropped: [],
    },
  },
  'kafka-streams/shouldLogAndMeterWhenSkippingLateRecordWithNonzeroGrace': {
    why: 'late for the first tier but not for the last opens a session that is already closed',
    ours: {
      final: ['Late1 0-0 x1', 'OnTime1 0-0 x1', 'OnTime2 0-0 x1', 'dummy 0-0 x1', 'dummy 11-12 x2'],
      dropped: [],
    },
  },
};

/** Flink purges at watermark >= end + gap - 1 + lateness; ours settles 2 ms later. */
const FLINK: Record<string, Difference> = {
  'flink/testDropDueToLatenessSessionZeroLatenessPurgingTrigger': {
    why: 'at watermark 14600 = 11600 + gap ours is still live, and is joined',
    ours: { final: ['key2 1000-8500 x5', 'key2 10000-14500 x4'], dropped: [] },
  },
  'flink/testDropDueToLatenessSessionZeroLateness': {
    why: 'at watermark 14600 = 11600 + gap ours is still live, and is joined',
    ours: { final: ['key2 1000-8500 x5', 'key2 10000-14500 x3'], dropped: [] },
  },
};

function hold(
  machineOf: (definition: SessionDefinition) => Machine,
  one: Case,
  tiersMs: number[],
  differences: Record<string, Difference>,
): void {
  const difference = differences[one.name];
  const name = difference === undefined ? one.name : `${one.name} differs: ${difference.why}`;
  test(name, () => {
    const outcome = runCase(machineOf(definitionOf(one.gap_ms, ...tiersMs)), one);
    assert.deepEqual(outcome, difference?.ours ?? expected(one));
    if (difference !== undefined) assert.notDeepEqual(outcome, expected(one), 'no difference');
  });
}

for (const [machineName, machineOf] of Object.entries(MACHINES)) {
  describe(`${machineName}, held against`, { skip: CASES_ABSENT }, () => {
    if (CASES_ABSENT) return;
    describe('Kafka Streams, one tier', () => {
      const cases = readCases('kafka-streams.json');
      assert.equal(cases.length, 19);
      for (const one of cases) hold(machineOf, one, [one.grace_ms!], KAFKA_ONE_TIER);
    });
    describe('Kafka Streams, the store kept longer as a second tier', () => {
      const kept = readCases('kafka-streams.json').filter((one) => one.retention_ms !== undefined);
      for (const one of kept) {
        const tiersMs = [one.grace_ms!, one.retention_ms! - one.gap_ms];
        hold(machineOf, one, tiersMs, KAFKA_SECOND_TIER);
      }
    });
    describe('Flink', () => {
      const cases = readCases('flink.json');
      assert.equal(cases.length, 8);
      for (const one of cases) hold(machineOf, one, [one.grace_ms!], FLINK);
    });
    describe('Spark', () => {
      const cases = readCases('spark.json');
      assert.equal(cases.length, 7);
      for (const one of cases) hold(machineOf, one, [one.grace_ms ?? FOREVER_MS], {});
    });
    describe('Bytewax', () => {
      const cases = readCases('bytewax.json');
      assert.equal(cases.length, 10);
      for (const one of cases) hold(machineOf, one, [FOREVER_MS], {});
    });
    test('2,000 random streams through Kafka Streams', () => {
      const cases = readRandomCases();
      assert.equal(cases.length, 2000);
      for (const one of cases) holdRandom(machineOf, one);
    });
  });
}

/** Same sessions sent after the same input, same drops in order, same open sessions, same ids. */
function holdRandom(machineOf: (definition: SessionDefinition) => Machine, one: RandomCase): void {
  const machine = machineOf(definitionOf(one.gap_ms, one.grace_ms));
  const emitted: string[] = [];
  for (const [index, { key, ts, id }] of one.inputs.entries()) {
    const before = machine.sent().length;
    const event = makeEvent({ id, userId: key, timestamp: ts, page: id });
    machine.apply({ event, offset: index, arrivalMs: null });
    const sent = machine.sent().slice(before);
    for (const session of sent) {
      if (session.state !== 'merged') assert.equal(session.state, 'closed', one.name);
    }
    const closed = sent.flatMap((each) =>
      each.state === 'merged'
        ? []
        : [{ ...toldShort(each), ids: each.trail.map((entry) => entry.page!) }],
    );
    emitted.push(...toldWithIds(closed).map((text) => `after ${index}: ${text}`));
  }
  const wanted: string[] = [];
  for (const index of one.inputs.keys()) {
    const closed = one.expected_final_sessions.filter((_, at) => one.emitted_at[at] === index);
    wanted.push(...toldWithIds(closed).map((text) => `after ${index}: ${text}`));
  }
  assert.deepEqual(emitted, wanted, one.name);
  const dropped = machine.late().map((event) => event.page);
  assert.deepEqual(dropped, one.expected_dropped_inputs, one.name);
  assert.deepEqual(told(machine.open().map(toldShort)), told(one.open_at_end), one.name);
}
