/** Money is exact whatever the order of the terms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { moneyNumber, parseMoney } from './money.ts';

const PARSED: readonly (readonly [unknown, bigint | null])[] = [
  [59.9, 59_900_000n],
  ['59.90', 59_900_000n],
  [0.1, 100_000n],
  [-3, -3_000_000n],
  ['-0.000001', -1n],
  ['0.0000005', 1n],
  ['0.00000049', 0n],
  ['1e3', 1_000_000_000n],
  [1e15, null],
  [123_456_789_012_345, 123_456_789_012_345_000_000n],
  ['1,000', null],
  ['', null],
  ['.5', null],
  ['12 EUR', null],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
  [true, null],
  [{}, null],
];

test('amounts as clients write them', () => {
  for (const [value, expected] of PARSED) {
    assert.equal(parseMoney(value), expected, JSON.stringify(value));
  }
});

test('a number and its decimal text are the same amount', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10_000_000, max: 10_000_000 }), (cents) => {
      const amount = cents / 100;
      assert.equal(parseMoney(amount), BigInt(cents) * 10_000n);
      assert.equal(parseMoney(String(amount)), BigInt(cents) * 10_000n);
      assert.equal(moneyNumber(parseMoney(amount)!), amount);
    }),
  );
});

test('sums that floating point gets wrong are right', () => {
  const sum = [0.1, 0.2, 0.3].reduce((total, amount) => total + parseMoney(amount)!, 0n);
  assert.equal(moneyNumber(sum), 0.6);
  assert.notEqual(0.1 + 0.2 + 0.3, 0.6);
});
