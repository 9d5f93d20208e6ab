/** The calendar against a plain list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines, Due } from './deadlines.ts';

test('gives out exactly what is due, earliest first, whatever was scheduled when', () => {
  const step = fc.oneof(
    fc.record({
      at: fc.integer({ min: 0, max: 500 }),
      entry: fc.integer({ min: 0, max: 9 }),
    }),
    fc.record({ clock: fc.integer({ min: 0, max: 500 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 80 }), (ms, steps) => {
      const calendar = new Deadlines<Due>(ms);
      const entries = Array.from({ length: 10 }, () => new Due());
      const expected = new Map<Due, number>();
      let clock = 0;
      for (const action of steps) {
        if ('at' in action) {
          const entry = entries[action.entry]!;
          calendar.schedule(entry, action.at);
          expected.set(entry, Math.min(action.at, expected.get(entry) ?? Number.POSITIVE_INFINITY));
          continue;
        }
        clock = Math.max(clock, action.clock);
        let last = Number.NEGATIVE_INFINITY;
        for (let entry = calendar.pop(clock); entry !== null; entry = calendar.pop(clock)) {
          const at = expected.get(entry)!;
          assert.ok(at < clock && at >= last);
          last = at;
          expected.delete(entry);
        }
        for (const at of expected.values()) assert.ok(at >= clock);
      }
    }),
  );
});

test('an entry that is put back is found again, once', () => {
  const calendar = new Deadlines<Due>(10);
  const entry = new Due();
  calendar.schedule(entry, 100);
  calendar.schedule(entry, 50);
  assert.equal(calendar.pop(51), entry);
  calendar.schedule(entry, 100);
  assert.equal(calendar.pop(100), null);
  assert.equal(calendar.pop(101), entry);
  assert.equal(calendar.pop(1000), null);
});
