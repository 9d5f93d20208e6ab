/** Local times to UTC where clocks change, and against the platform everywhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { zoneToUtc } from './time-zone.ts';

const TABLE: readonly (readonly [zone: string, local: string, utc: string, why: string])[] = [
  ['Europe/Berlin', '2024-01-01T00:00:00.000', '2023-12-31T23:00:00.000Z', 'winter'],
  ['Europe/Berlin', '2024-07-01T00:00:00.000', '2024-06-30T22:00:00.000Z', 'summer'],
  ['Europe/Berlin', '2024-03-31T01:59:59.999', '2024-03-31T00:59:59.999Z', 'before the gap'],
  ['Europe/Berlin', '2024-03-31T02:00:00.000', '2024-03-31T01:00:00.000Z', 'the gap begins'],
  ['Europe/Berlin', '2024-03-31T02:30:00.000', '2024-03-31T01:30:00.000Z', 'in it: 03:30'],
  ['Europe/Berlin', '2024-03-31T03:00:00.000', '2024-03-31T01:00:00.000Z', 'after it'],
  ['Europe/Berlin', '2024-10-27T01:59:59.999', '2024-10-26T23:59:59.999Z', 'before the overlap'],
  ['Europe/Berlin', '2024-10-27T02:00:00.000', '2024-10-27T00:00:00.000Z', 'the first of two'],
  ['Europe/Berlin', '2024-10-27T02:59:59.999', '2024-10-27T00:59:59.999Z', 'the first of two'],
  ['Europe/Berlin', '2024-10-27T03:00:00.000', '2024-10-27T02:00:00.000Z', 'after it'],
  ['Australia/Lord_Howe', '2024-04-07T01:45:00.000', '2024-04-06T14:45:00.000Z', 'half an hour'],
  ['Australia/Lord_Howe', '2024-10-06T02:15:00.000', '2024-10-05T15:45:00.000Z', 'half an hour'],
  ['Asia/Kolkata', '2024-05-05T12:00:00.000', '2024-05-05T06:30:00.000Z', 'no change at all'],
  ['America/New_York', '2024-11-03T01:30:00.000', '2024-11-03T05:30:00.000Z', 'west of UTC'],
  ['Pacific/Apia', '2011-12-30T12:00:00.000', '2011-12-30T22:00:00.000Z', 'a day that never was'],
];

for (const [zone, local, utc, why] of TABLE) {
  test(`${zone} ${local} (${why})`, () => {
    const toUtc = zoneToUtc(zone)!;
    const once = toUtc(Date.parse(`${local}Z`));
    assert.equal(new Date(once).toISOString(), utc);
    assert.equal(toUtc(Date.parse(`${local}Z`)), once, 'the same when it is remembered');
  });
}

test('there is nothing to convert from UTC', () => {
  for (const zone of ['UTC', 'Etc/UTC', 'GMT']) assert.equal(zoneToUtc(zone), null);
});

test('an unknown zone is wrong usage', () => {
  assert.throws(() => zoneToUtc('Europe/Berlln'), { code: 'wrong_usage' });
});

test('what the platform shows for a UTC time comes back as that time or the one before', () => {
  for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe']) {
    const toUtc = zoneToUtc(zone)!;
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000 }), (second) => {
        const shown = format.format(second * 1000);
        const utc = toUtc(Date.parse(`${shown.replace(' ', 'T')}Z`));
        assert.ok(utc <= second * 1000);
        assert.equal(format.format(utc), shown);
      }),
    );
  }
});
