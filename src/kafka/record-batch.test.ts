/** The codec of record batches: what goes in comes out, and damage is noticed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchBuilder, RecordCursor, splitBatches } from './record-batch.ts';

const stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };

interface Content {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

function contents(bytes: Buffer): Content[] {
  const found: Content[] = [];
  for (const batch of splitBatches(bytes)) {
    const cursor = new RecordCursor(batch);
    while (cursor.next()) {
      assert.equal(cursor.offset, batch.baseOffset + found.length);
      assert.equal(cursor.timestampMs, 1_700_000_000_123);
      const part = (start: number, end: number) =>
        start < 0 ? null : Uint8Array.from(cursor.bytes.subarray(start, end));
      const key = part(cursor.keyStart, cursor.keyEnd);
      found.push({ key, value: part(cursor.valueStart, cursor.valueEnd) });
    }
  }
  return found;
}

const bytes = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.integer({ min: 0, max: 70_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
);

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`what goes into a batch comes out of it, ${compression}`, () => {
    const records = fc.array(fc.record({ key: bytes, value: bytes }, { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(records, (given) => {
        const builder = new BatchBuilder();
        for (const { key, value } of given) builder.append(key, value);
        const sealed = builder.seal({ stamp, timestampMs: 1_700_000_000_123, compression });
        assert.deepEqual(contents(sealed), given);
        builder.recycle();
      }),
      { numRuns: 50 },
    );
  });
}

test('keys that are texts are written as UTF-8', () => {
  const keys = ['', 'user-1', 'ünï-\u{1f600}-日本\u0000\ufeff', '\ud800', 'k'.repeat(300)];
  const builder = new BatchBuilder();
  for (const key of keys) builder.append(key, null);
  const found = contents(builder.seal({ stamp, timestampMs: 1_700_000_000_123 }));
  assert.deepEqual(
    found.map(({ key }) => Buffer.from(key!).toString()),
    keys.map((key) => Buffer.from(key).toString()),
  );
});

test('a batch that is cut off at the end is left for the next fetch', () => {
  const builder = new BatchBuilder();
  builder.append('a', Buffer.from('1'));
  const whole = builder.seal({ stamp, timestampMs: 1_700_000_000_123 });
  for (let cut = 0; cut < whole.length; cut++) {
    const found = contents(Buffer.concat([whole, whole.subarray(0, cut)]).subarray());
    assert.equal(found.length, 1);
  }
});

test('no byte of a batch can be damaged unnoticed', () => {
  const builder = new BatchBuilder();
  for (let n = 0; n < 5; n++) builder.append(`key ${n}`, Buffer.from(`value ${n}`));
  const whole = builder.seal({ stamp, timestampMs: 1_700_000_000_123 });
  // From the version on: what is before it the broker fills in, apart from the length.
  for (let at = 16; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x10;
    assert.throws(() => contents(damaged), { code: 'log_corrupt' }, `byte ${at}`);
  }
});
