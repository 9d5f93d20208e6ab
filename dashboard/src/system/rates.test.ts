/** Rates are of counts that can be held against each other, and are never below nought. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentCounts } from './rates.ts';

test('a rate is the growth a second over the readings of the last seconds', () => {
  const recent = new RecentCounts();
  assert.equal(recent.perSecond({ a: 10 }, 'all', 0), null);
  assert.deepEqual(recent.perSecond({ a: 11 }, 'all', 2000), { a: 0.5 });
  assert.deepEqual(recent.perSecond({ a: 18, b: 2 }, 'all', 4000), { a: 2, b: 0.5 });
  assert.deepEqual(recent.perSecond({ a: 31, b: 2 }, 'all', 12_000), { a: 2, b: 0.2 });
  assert.equal(recent.perSecond({ a: 99 }, 'all', 60_000), null, 'the page was not looked at');
});

test('what is counted anew has no rate, and neither have counts of others', () => {
  const recent = new RecentCounts();
  recent.perSecond({ a: 10 }, 'one', 0);
  assert.deepEqual(recent.perSecond({ a: 3 }, 'one', 1000), { a: 0 });
  assert.equal(recent.perSecond({ a: 90 }, 'one, other', 2000), null);
  assert.deepEqual(recent.perSecond({ a: 92 }, 'one, other', 3000), { a: 2 });
});
