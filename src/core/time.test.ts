/** Times as clients write them, against the platform's own parser where that is strict too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { daysFromCivil, parseTime } from './time.ts';

const ACCEPTED: readonly (readonly [unknown, string])[] = [
  ['2026-11-23T10:00:00.000Z', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23T10:00Z', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00:00', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23T10:00:00.1Z', '2026-11-23T10:00:00.100Z'],
  ['2026-11-23T10:00:00.123456789Z', '2026-11-23T10:00:00.123Z'],
  ['2026-11-23T10:00:00.999999Z', '2026-11-23T10:00:00.999Z'],
  ['2026-11-23T10:00:00+02:00', '2026-11-23T08:00:00.000Z'],
  ['2026-11-23T10:00:00-0530', '2026-11-23T15:30:00.000Z'],
  ['2026-11-23T10:00:00+02', '2026-11-23T08:00:00.000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  [1_795_428_000_000, '2026-11-23T10:00:00.000Z'],
];

const REFUSED: readonly unknown[] = [
  '',
  'now',
  '2026-11-23',
  '2026-13-01T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-11-31T00:00:00Z',
  '2026-11-23T24:00:00Z',
  '2026-11-23T10:60:00Z',
  '2026-11-23T10:00:60Z',
  '2026-11-23T10:00:00.Z',
  '2026-11-23T10:00:00ZZ',
  '2026-11-23T10:00:00+2:00',
  '2026/11/23T10:00:00Z',
  '1969-12-31T23:59:59Z',
  1_795_428_000,
  1.5e12 + 0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  253_402_300_800_000,
  true,
  null,
  {},
];

test('times that are read', () => {
  for (const [text, expected] of ACCEPTED) {
    assert.equal(new Date(parseTime(text)!).toISOString(), expected, String(text));
  }
});

test('times that are refused', () => {
  for (const value of REFUSED) assert.equal(parseTime(value), null, JSON.stringify(value));
});

test('every time that the platform writes is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (timeMs) => {
      assert.equal(parseTime(new Date(timeMs).toISOString()), timeMs);
    }),
  );
});

test('days since 1970 agree with the platform for every month of 1900 to 2100', () => {
  for (let year = 1900; year <= 2100; year++) {
    for (let month = 1; month <= 12; month++) {
      const expected = Date.UTC(year, month - 1, 1) / 86_400_000;
      assert.equal(daysFromCivil(year, month, 1), expected, `${year}-${month}`);
    }
  }
});
