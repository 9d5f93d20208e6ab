/** Halves give back the number they are of, and never leave 31 bits and a sign. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { highOf, joined, lowOf } from './wide.ts';

const EDGES = [0, -1, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1];
const INFINITIES = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

test('halves are small integers and join to the number', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.maxSafeInteger(), fc.constantFrom(...EDGES, ...INFINITIES)),
      (value) => {
        const [high, low] = [highOf(value), lowOf(value)];
        assert.equal(high, high | 0);
        assert.ok(low === (low | 0) && low >= 0);
        assert.equal(joined(high, low), value);
      },
    ),
    { numRuns: 3000 },
  );
});
