/** Durations, offsets, money and names as people read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatMoney, formatOffset, formatType, NONE } from './format.ts';

test('durations have two units at most, and change them where people would', () => {
  const expected: readonly (readonly [number, string])[] = [
    [0, '0 s'],
    [0.0004, '1 ms'],
    [0.25, '250 ms'],
    [1, '1 s'],
    [59.4, '59 s'],
    [59.5, '1 min'],
    [61, '1 min 1 s'],
    [3599.6, '1 h'],
    [3660, '1 h 1 min'],
    [47 * 3600, '47 h'],
    [49 * 3600, '2 d 1 h'],
  ];
  for (const [seconds, text] of expected) assert.equal(formatDuration(seconds), text);
});

test('offsets count minutes, then hours', () => {
  assert.deepEqual([0, 9.9, 60, 3599, 3661].map(formatOffset), [
    '0:00',
    '0:09',
    '1:00',
    '59:59',
    '1:01:01',
  ]);
});

test('each currency stands by itself, whatever it is called', () => {
  assert.equal(formatMoney({}), NONE);
  assert.match(formatMoney({ EUR: 5, USD: 1.5 }), /5.*\+.*1.50/);
  assert.match(formatMoney({ '<b>': 5 }), /^5 <b>$/);
});

test('names in capitals become words; others stay', () => {
  assert.equal(formatType('ADD_TO_CART'), 'Add to cart');
  assert.equal(formatType('checkoutStarted'), 'checkoutStarted');
  assert.equal(formatType(''), '');
});
