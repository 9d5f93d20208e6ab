/** Only what history can store passes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closed, merged, session } from '../../../test/support/history-records.ts';
import { readSentRecord } from './sent-record.ts';

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

test('every session and every merge is read as it was sent', () => {
  fc.assert(
    fc.property(session(), (record) => {
      fc.pre(record.userId !== '' && record.userId.isWellFormed());
      assert.deepEqual(readSentRecord(bytesOf(record)), JSON.parse(JSON.stringify(record)));
    }),
  );
  assert.deepEqual(readSentRecord(bytesOf(merged('a', 'b', 2))), merged('a', 'b', 2));
  const open = closed('a', 0, { state: 'active', tier: null, closeReason: null });
  assert.deepEqual(readSentRecord(bytesOf(open)), open);
});

test('bytes that are no record are none', () => {
  const broken = ['', 'x', '{', 'null', '[]', '5', '"s"', '{}', '{"state":"merged"}', '\xff\xfe'];
  for (const text of broken) assert.equal(readSentRecord(Buffer.from(text, 'latin1')), null, text);
});

test('a record without one of its fields, or with another kind of value in it, is none', () => {
  const whole = closed('a', 1, { firstConversionTime: '2026-11-23T10:00:00.000Z', tier: '5m' });
  for (const field of Object.keys(whole)) {
    const { [field]: _, ...rest } = { ...whole } as Record<string, unknown>;
    assert.equal(readSentRecord(bytesOf(rest)), null, `without ${field}`);
    for (const value of [[[1]], 1.5, -1, true, { a: 1 }].filter((one) => !fits(field, one))) {
      const changed = bytesOf({ ...whole, [field]: value });
      assert.equal(readSentRecord(changed), null, `${field}: ${JSON.stringify(value)}`);
    }
  }
  for (const field of ['mergedInto', 'revision', 'userId', 'sessionId']) {
    assert.equal(readSentRecord(bytesOf({ ...merged('a', 'b', 2), [field]: null })), null, field);
  }
});

test('values that PostgreSQL would refuse are refused', () => {
  const time = '2026-11-23T10:00:00.000Z';
  const refused = [
    { revision: 2 ** 31 },
    { eventCount: 2 ** 53 },
    { durationSeconds: 1e16 },
    { eventCounts: { CLICK: 1.5 } },
    { revenue: { EUR: '1' } },
    { state: 'merged' },
    { state: 'gone' },
    { userId: 'u'.repeat(257) },
    { startTime: '2026-02-30T10:00:00.000Z' },
    { startTime: '2026-11-23 10:00' },
    { endTime: 'infinity' },
    { lastArrival: time.replace('Z', '+01:00') },
  ];
  for (const parts of refused) {
    const record = { ...closed('a', 1), ...parts };
    assert.equal(readSentRecord(bytesOf(record)), null, JSON.stringify(parts));
  }
});

/** Whether a value of the kinds tried is right for a field. */
function fits(field: string, value: unknown): boolean {
  if (typeof value === 'object' && !Array.isArray(value)) {
    return ['eventCounts', 'firstEventTimes', 'revenue', 'cartValue', 'utm'].includes(field);
  }
  if (Array.isArray(value)) return field === 'trail';
  if (value === 1.5) return field === 'durationSeconds';
  const flags = ['distinctPagesTruncated', 'hasConversion', 'bounced', 'engaged', 'trailTruncated'];
  return value === true && flags.includes(field);
}
