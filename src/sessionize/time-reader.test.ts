/** Times from bytes: a table of what files write, and the core's own parser as the judge. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIsoTime } from '../core/time.ts';
import { TimeReader, type UnitsPerSecond, unitOf } from './time-reader.ts';
import { zoneToUtc } from './time-zone.ts';

function read(text: string, units: UnitsPerSecond = 1, timeZone = 'UTC'): string | null {
  const bytes = Buffer.from(`,${text},`);
  const time = new TimeReader(zoneToUtc(timeZone), units).read(bytes, 1, bytes.length - 1);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

const READ: readonly (readonly [text: string, time: string, units?: UnitsPerSecond])[] = [
  ['2026-11-23T10:00:00.000Z', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00:00', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23T10:00:00', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00:00.5', '2026-11-23T10:00:00.500Z'],
  ['2026-11-23 10:00:00.123456', '2026-11-23T10:00:00.123Z'],
  ['2026-11-23 10:00:00.999999999Z', '2026-11-23T10:00:00.999Z'],
  ['2026-11-23 10:00:00 UTC', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00:00.25 UTC', '2026-11-23T10:00:00.250Z'],
  ['2026-11-23 10:00:00+00', '2026-11-23T10:00:00.000Z'],
  ['2026-11-23 10:00:00 +0200', '2026-11-23T08:00:00.000Z'],
  ['2026-11-23T10:00:00-05:30', '2026-11-23T15:30:00.000Z'],
  [' 2026-11-23 10:00:00 ', '2026-11-23T10:00:00.000Z'],
  ['2024-02-29 23:59:59', '2024-02-29T23:59:59.000Z'],
  ['17/May/2015:10:05:03 +0000', '2015-05-17T10:05:03.000Z'],
  ['17/May/2015:10:05:03 +0230', '2015-05-17T07:35:03.000Z'],
  ['29/Feb/2024:00:00:00 -0100', '2024-02-29T01:00:00.000Z'],
  ['1795428000', '2026-11-23T10:00:00.000Z', 1],
  ['1795428000.5', '2026-11-23T10:00:00.500Z', 1],
  ['1795428000.1239', '2026-11-23T10:00:00.123Z', 1],
  ['1795428000123', '2026-11-23T10:00:00.123Z', 1000],
  ['1795428000123.9', '2026-11-23T10:00:00.123Z', 1000],
  ['1795428000123999', '2026-11-23T10:00:00.123Z', 1_000_000],
  ['1795428000123999999', '2026-11-23T10:00:00.123Z', 1_000_000_000],
  ['0', '1970-01-01T00:00:00.000Z', 1],
];

for (const [text, time, units] of READ) {
  test(`time: "${text}"${units === undefined ? '' : ` in 1/${units} s`}`, () => {
    assert.equal(read(text, units), time);
  });
}

for (const text of [
  '',
  'yesterday',
  '2026-11-23',
  '2026-02-29 10:00:00',
  '2026-13-01 10:00:00',
  '2026-11-23 24:00:00',
  '2026-11-23 10:60:00',
  '2026-11-23 10:00:60',
  '2026-11-23 10:00:00.',
  '2026-11-23 10:00:00.Z',
  '2026-11-23 10:00:00.x',
  '2026-11-23 10:00:00.1234567890',
  '2026-11-23 10:00:00x',
  '2026-11-23_10:00:00',
  '202a-11-23 10:00:00',
  '1969-12-31 23:59:59',
  '17/May/2015:10:05:03',
  '17/Foo/2015:10:05:03 +0000',
  '31/Apr/2015:10:05:03 +0000',
  '17/May/2015:24:05:03 +0000',
  '-5',
  '1.7e9',
  '99999999999999999999',
]) {
  test(`no time: "${text}"`, () => assert.equal(read(text), null));
}

test('a column of numbers is in the unit that its largest one is in', () => {
  assert.equal(unitOf(1_795_428_000), 1);
  assert.equal(unitOf(1_795_428_000_000), 1000);
  assert.equal(unitOf(1_795_428_000_000_000), 1_000_000);
  assert.equal(unitOf(1_795_428_000_000_000_000), 1_000_000_000);
});

test('every ISO time is read as the core reads it', () => {
  const number = fc.integer({ min: 0, max: 99 }).map((value) => String(value).padStart(2, '0'));
  const text = fc
    .tuple(
      fc.constantFrom('19', '20', '99', '0a'),
      fc.array(number, { minLength: 6, maxLength: 6 }),
      fc.constantFrom('T', ' ', 't', '_'),
      fc.constantFrom('', '.', '.5', '.123', '.123456', '.1234567890', ',5'),
      fc.constantFrom('', 'Z', 'z', '+01:00', '-0930', '+1', 'Q'),
    )
    .map(([century, [year, month, day, hour, minute, second], separator, fraction, zone]) =>
      [`${century}${year}-${month}-${day}`, `${hour}:${minute}:${second}${fraction}${zone}`].join(
        separator,
      ),
    );
  const reader = new TimeReader(null, 1);
  fc.assert(
    fc.property(fc.oneof(text, realTime()), (iso) => {
      const bytes = Buffer.from(iso);
      const time = reader.read(bytes, 0, bytes.length);
      assert.equal(Number.isNaN(time) ? null : time, parseIsoTime(iso));
    }),
    { numRuns: 5000 },
  );
});

/** Times that exist, which random digits seldom give. */
function realTime(): fc.Arbitrary<string> {
  const time = fc.date({
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  const end = fc.constantFrom(19, 20, 21, 23, 24);
  return fc.tuple(time, end).map(([date, length]) => date.toISOString().slice(0, length));
}
