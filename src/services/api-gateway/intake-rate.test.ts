/** How many events a second an address may send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntakeRate } from './intake-rate.ts';

function steppedClock() {
  let timeMs = 0;
  return {
    monotonicMs: () => timeMs,
    advance: (durationMs: number) => {
      timeMs += durationMs;
    },
  };
}

test('a burst of a second is taken at once, then as much as the rate has it', () => {
  const clock = steppedClock();
  const rate = new IntakeRate(10, clock);
  for (let sent = 0; sent < 10; sent++) {
    assert.equal(rate.waitMs('a'), 0);
    rate.charge('a', 1);
  }
  assert.equal(rate.waitMs('a'), 100);
  assert.equal(rate.waitMs('b'), 0, 'another address has its own');
  clock.advance(99);
  assert.equal(rate.waitMs('a'), 1);
  clock.advance(1);
  assert.equal(rate.waitMs('a'), 0);
});

test('a batch larger than the burst is taken whole, and paid for by waiting', () => {
  const clock = steppedClock();
  const rate = new IntakeRate(100, clock);
  rate.charge('a', 1000);
  assert.equal(rate.waitMs('a'), 9010);
});

test('addresses that are forgotten begin anew', () => {
  const rate = new IntakeRate(10, steppedClock());
  rate.charge('first', 1000);
  for (let address = 0; address < 10_000; address++) rate.charge(String(address), 1);
  assert.equal(rate.waitMs('first'), 0);
});

test('whoever sends as soon as it may gets the rate and a burst, and a batch at most', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), sizes, (ratePerSecond, batches) => {
      const clock = steppedClock();
      const rate = new IntakeRate(ratePerSecond, clock);
      let sent = 0;
      for (const size of batches) {
        clock.advance(rate.waitMs('a'));
        assert.equal(rate.waitMs('a'), 0);
        const allowed = ratePerSecond + (clock.monotonicMs() / 1000) * ratePerSecond;
        assert.ok(sent <= allowed - 1 + 1e-3);
        rate.charge('a', size);
        sent += size;
      }
    }),
  );
});
