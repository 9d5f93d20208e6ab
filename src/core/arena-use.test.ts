/** Sessions give back the memory of their events, whatever way they go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeEvent } from '../../test/support/make-event.ts';
import { StoredPartition } from '../../test/support/stored-partition.ts';
import { type Arena, sizeFor } from './arena.ts';
import { DEFAULT_DEFINITION, type SessionDefinition } from './definition.ts';
import type { Event } from './event.ts';
import { Partition } from './partition.ts';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 300);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const START_MS = Date.UTC(2026, 0, 1);
const DEFINITION: SessionDefinition = { ...DEFAULT_DEFINITION, maxEvents: 60 };

/** Merges, caps, late events, long sessions and quiet hours; `pause` tells what else happens. */
const steps = fc.array(
  fc.record({
    user: fc.nat(3),
    minute: fc.nat(700),
    events: fc.constantFrom(1, 1, 1, 50),
    pause: fc.nat(9),
  }),
  { minLength: 1, maxLength: 40 },
);

type Steps = typeof steps extends fc.Arbitrary<infer Value> ? Value : never;

function* eventsOf(list: Steps): Generator<{ event: Event; pause: number }> {
  let number = 0;
  for (const { user, minute, events, pause } of list) {
    for (let index = 0; index < events; index++) {
      const timestamp = START_MS + minute * MINUTE_MS + index;
      const page = 'p'.repeat(number % 200);
      const event = makeEvent({ id: `e${number++}`, userId: `u${user}`, timestamp, page });
      yield { event, pause: index === events - 1 ? pause : 9 };
    }
  }
}

/** Of another user, so late that everything before it is settled. */
const LAST = makeEvent({ id: 'last', userId: 'z', timestamp: START_MS + 30 * DAY_MS });

function assertOnlyLast(arena: Arena): void {
  assert.equal(arena.takenBytes, sizeFor(1));
}

test('in memory', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const identity = { logId: 'log', partition: 0 };
      const partition = new Partition({ definition: DEFINITION, identity, stored: false });
      let offset = 0;
      for (const { event, pause } of eventsOf(list)) {
        partition.apply(event, offset++, null);
        if (pause < 3) while (partition.sweep(partition.clock, 100) === 100);
      }
      partition.apply(LAST, offset, null);
      while (partition.sweep(partition.clock, 100) === 100);
      assertOnlyLast(partition.arena);
    }),
    { numRuns: RUNS },
  );
});

test('over a store, with users that leave memory and come back', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const stored = new StoredPartition(DEFINITION, 'log', 0);
      let offset = 0;
      for (const { event, pause } of eventsOf(list)) {
        stored.apply(event, offset++, null);
        if (pause < 4) stored.sweep();
        if (pause < 3) stored.commit();
        if (pause < 2) stored.evict(1);
        if (pause === 0) stored.restart();
      }
      stored.apply(LAST, offset, null);
      stored.sweep();
      stored.commit();
      assertOnlyLast(stored.partition.arena);
    }),
    { numRuns: RUNS },
  );
});
