/** Spans of time from the address, and intervals that the API takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fineIntervalOf, hoursOf, intervalOf, MAX_DAYS, type Range, rangeOf } from './range.ts';

const NOW_MS = Date.parse('2026-11-25T10:00:00.000Z');
const HOURS = { '5m': 1 / 12, '15m': 1 / 4, '1h': 1, '6h': 6, '1d': 24 };

test('the address names a span; what makes no sense is the last day', () => {
  assert.equal(hoursOf(rangeOf('?range=7d', NOW_MS)), 168);
  assert.equal(hoursOf(rangeOf('', NOW_MS)), 24);
  const custom = rangeOf('?from=2026-01-01T00:00Z&to=2026-01-01T02:00Z', NOW_MS);
  assert.deepEqual([custom.name, hoursOf(custom)], ['custom', 2]);
  for (const search of ['?range=x', '?from=b&to=a', '?from=2026-02-01&to=2026-01-01']) {
    assert.equal(rangeOf(search, NOW_MS).name, '24h', search);
  }
});

test('a span of 366 days is taken, and none that is longer', () => {
  const until = (hour: string) => rangeOf(`?from=2025-01-01T00:00Z&to=2026-01-02T${hour}Z`, NOW_MS);
  const longest = until('00:00');
  assert.deepEqual([longest.name, hoursOf(longest)], ['custom', MAX_DAYS * 24]);
  assert.equal(fineIntervalOf(longest), '1d');
  assert.equal(until('00:01').name, '24h');
});

test('no span is cut into more than a thousand, nor durations into what rows must answer', () => {
  for (const hours of [0.1, 1, 6, 7, 24, 72, 80, 168, 475, 720, 3000, 24 * 366]) {
    const range: Range = { name: 'x', fromMs: NOW_MS - hours * 3_600_000, toMs: NOW_MS };
    const interval = intervalOf(range);
    assert.ok(hours / HOURS[interval] <= 1000);
    if (hours > 6) assert.ok(HOURS[interval] >= 1);
    assert.ok((2 * hours) / HOURS[fineIntervalOf(range)] <= 1000, `${hours} h, twice`);
  }
});
