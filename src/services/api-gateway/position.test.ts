/** Positions of writes: opaque outside, exact inside, refused when they are not ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LullError } from '../../errors.ts';
import { decodePosition, encodePosition } from './position.ts';

const PARTITIONS = 64;

test('a position comes back as it was', () => {
  const offsets = fc.dictionary(fc.nat(PARTITIONS - 1).map(String), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.uuid(), offsets, (logId, byPartition) => {
      const written = new Map(
        Object.entries(byPartition).map(([partition, offset]) => [Number(partition), offset]),
      );
      const token = encodePosition({ logId, offsets: written });
      assert.match(token, /^[\w-]+$/);
      assert.deepEqual(decodePosition(token, logId, PARTITIONS), { logId, offsets: written });
    }),
  );
});

const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const WRONG: readonly [what: string, token: string][] = [
  ['nothing', ''],
  ['no token', 'hello there'],
  ['other JSON', token({ logId: 'log' })],
  ['another log', token(['other', '0:1'])],
  ['an unknown partition', token(['log', `${PARTITIONS}:1`])],
  ['a negative offset', token(['log', '0:-1'])],
  ['an offset beyond all', token(['log', '0:9007199254740993'])],
  ['half a pair', token(['log', '0:1,'])],
  ['far too long', 'a'.repeat(10_000)],
];
for (const [what, wrong] of WRONG) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => decodePosition(wrong, 'log', PARTITIONS),
      (error) => error instanceof LullError && error.code === 'invalid_parameter',
    );
  });
}

test('any text is a position or refused as one', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      try {
        decodePosition(text, 'log', PARTITIONS);
      } catch (error) {
        assert.ok(error instanceof LullError, String(error));
      }
    }),
  );
});
