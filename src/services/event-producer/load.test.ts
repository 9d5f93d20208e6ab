/** Loads: what users and rate come to, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LOAD, type LoadRequest, loadOf, loadProblem } from './load.ts';

test('fifty shoppers make about four events a second', () => {
  assert.deepEqual(loadOf({}), DEFAULT_LOAD);
  assert.equal(DEFAULT_LOAD.shoppers, 50);
  assert.equal(Math.round(DEFAULT_LOAD.eventsPerSecond), 4);
});

test('a rate alone means more shoppers at the same pace', () => {
  const { shoppers, eventsPerSecond } = loadOf({ rate: 500 });
  assert.equal(eventsPerSecond, 500);
  const pace = DEFAULT_LOAD.eventsPerSecond / DEFAULT_LOAD.shoppers;
  assert.ok(Math.abs(eventsPerSecond / shoppers / pace - 1) < 0.001);
});

test('users and a rate together mean another pace', () => {
  assert.deepEqual(loadOf({ users: 50, rate: 500 }), { shoppers: 50, eventsPerSecond: 500 });
});

const REFUSED: readonly [LoadRequest, RegExp][] = [
  [{ users: 0 }, /whole number from 1/],
  [{ users: 2.5 }, /whole number/],
  [{ users: 100_001 }, /to 100000/],
  [{ rate: 0 }, /above 0/],
  [{ rate: -1 }, /above 0/],
  [{ rate: Number.NaN }, /above 0/],
  [{ rate: Number.POSITIVE_INFINITY }, /above 0/],
  [{ rate: 10_000 }, /take 138889 shoppers, more than 100000: give users too/],
  [{ users: 1, rate: 101 }, /101 a second each, more than 100/],
  [{ users: 1000, rate: 1 }, /fewer than two events to a visit/],
  [{ rate: 0.001 }, /fewer than two events to a visit/],
];

for (const [request, reason] of REFUSED) {
  test(`refused: ${JSON.stringify(request)} because ${reason.source}`, () => {
    assert.match(loadProblem(request)!, reason);
    assert.throws(() => loadOf(request), { code: 'wrong_usage', message: reason });
  });
}

test('the limits themselves can work', () => {
  for (const request of [{ users: 1, rate: 100 }, { users: 100_000 }, { users: 1000, rate: 11 }]) {
    assert.equal(loadProblem(request), null);
  }
});
