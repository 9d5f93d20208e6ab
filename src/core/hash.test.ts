/** The hashes: Kafka's to the bit, the others by what is asked of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash53, murmur2, partitionOf, sessionIdOf, utf8 } from './hash.ts';

/** From Kafka's own test (UtilsTest.testMurmur2). */
const KAFKA_MURMUR2: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
];

test("murmur2 agrees with Kafka's", () => {
  for (const [key, expected] of KAFKA_MURMUR2) assert.equal(murmur2(utf8(key)), expected, key);
  assert.equal(murmur2(Uint8Array.of(0x61, 0x62, 0x63)), 479470107);
});

test('a partition is never negative and always within the count', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 1024 }), (key, partitionCount) => {
      const partition = partitionOf(key, partitionCount);
      assert.ok(partition >= 0 && partition < partitionCount);
    }),
  );
});

test('UTF-8 is what the platform writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.deepEqual(Buffer.from(utf8(text)), Buffer.from(text));
    }),
  );
  assert.deepEqual(Buffer.from(utf8('\ud800x')), Buffer.from('\ud800x'));
});

test('a hash is a safe integer above zero, and hardly ever shared', () => {
  const seen = new Set<number>();
  for (let index = 0; index < 200_000; index++) {
    const hash = hash53(`event-${index}`);
    assert.ok(Number.isSafeInteger(hash) && hash > 0);
    seen.add(hash);
  }
  assert.equal(seen.size, 200_000);
});

test('session ids: 32 hex digits, one for each place of each log', () => {
  const ids = new Set<string>();
  for (const logId of ['one', 'two']) {
    for (let partition = 0; partition < 20; partition++) {
      for (const offset of [0, 1, 2, 1000, 2 ** 32, 2 ** 32 + 1, 2 ** 52]) {
        const id = sessionIdOf(logId, partition, offset);
        assert.match(id, /^[0-9a-f]{32}$/);
        ids.add(id);
      }
    }
  }
  assert.equal(ids.size, 2 * 20 * 7);
  assert.equal(sessionIdOf('log', 3, 42), sessionIdOf('log', 3, 42));
});
