/** Aborted transactions among committed ones: interleavings against a plain account of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { committedBatches } from './committed-batches.ts';
import { BatchBuilder, RecordCursor } from './record-batch.ts';

/** A step of a producer: a batch of records, or the end of its transaction. */
interface Step {
  readonly producer: number;
  readonly action: 'send' | 'commit' | 'abort' | 'plain';
  readonly count: number;
}

interface Log {
  readonly batches: { readonly baseOffset: number; readonly bytes: Buffer }[];
  readonly aborted: { producerId: bigint; firstOffset: number; markerOffset: number }[];
  readonly committed: number[];
  readonly endOffset: number;
}

const CONTROL = 0x20;

/** The log that a broker would have, and what of it a committed reader may see. */
function play(steps: readonly Step[]): Log {
  const log = { batches: [], aborted: [], committed: [], endOffset: 0 } as {
    -readonly [Key in keyof Log]: Log[Key];
  };
  const open = new Map<number, number[]>();
  const append = (step: Step, count: number, marker: 'commit' | 'abort' | null) => {
    const builder = new BatchBuilder();
    for (let n = 0; n < count; n++) {
      const type = Buffer.from([0, 0, 0, marker === 'commit' ? 1 : 0]);
      builder.append(marker === null ? `${n}` : type, Buffer.from('v'));
    }
    const stamp = {
      producerId: BigInt(step.producer),
      producerEpoch: 0,
      baseSequence: 0,
      transactional: step.action !== 'plain',
    };
    const bytes = builder.seal({ stamp, timestampMs: 0 });
    bytes.writeBigInt64BE(BigInt(log.endOffset), 0);
    if (marker !== null) {
      bytes.writeInt16BE(bytes.readInt16BE(21) | CONTROL, 21);
      bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
    }
    log.batches.push({ baseOffset: log.endOffset, bytes });
    const offsets = Array.from({ length: count }, (_, n) => log.endOffset + n);
    log.endOffset += count;
    return offsets;
  };
  const end = (step: Step) => {
    const sent = open.get(step.producer);
    if (sent === undefined) return;
    open.delete(step.producer);
    const [markerOffset] = append(step, 1, step.action === 'commit' ? 'commit' : 'abort');
    if (step.action === 'commit') log.committed.push(...sent);
    else {
      const producerId = BigInt(step.producer);
      log.aborted.push({ producerId, firstOffset: sent[0]!, markerOffset: markerOffset! });
    }
  };
  for (const step of steps) {
    if (step.action === 'plain') {
      log.committed.push(...append({ ...step, producer: 9 }, step.count, null));
    } else if (step.action === 'send') {
      const sent = open.get(step.producer) ?? [];
      sent.push(...append(step, step.count, null));
      open.set(step.producer, sent);
    } else end(step);
  }
  for (const producer of open.keys()) end({ producer, action: 'commit', count: 0 });
  return log;
}

/** What the broker answers to a fetch: whole batches, and the aborted transactions among them. */
function answer(log: Log, fetchOffset: number, batchCount: number) {
  const first = log.batches.findLastIndex(({ baseOffset }) => baseOffset <= fetchOffset);
  const given = log.batches.slice(first, first + batchCount);
  const next = log.batches[first + batchCount]?.baseOffset ?? log.endOffset;
  const aborted = log.aborted
    .filter(({ firstOffset, markerOffset }) => firstOffset < next && markerOffset >= fetchOffset)
    .toReversed();
  return { records: Buffer.concat(given.map(({ bytes }) => bytes)), aborted };
}

const step = fc.record({
  producer: fc.integer({ min: 1, max: 3 }),
  action: fc.constantFrom('send', 'send', 'send', 'commit', 'abort', 'abort', 'plain'),
  count: fc.integer({ min: 1, max: 3 }),
}) as fc.Arbitrary<Step>;

test('a reader sees what was committed, whatever was aborted between, in fetches of any size', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      fc.nat(),
      (steps, sizes, start) => {
        const log = play(steps);
        const from = log.endOffset === 0 ? 0 : start % log.endOffset;
        const seen: number[] = [];
        for (let offset = from; offset < log.endOffset; ) {
          const size = sizes.next().value as number;
          const { batches, nextOffset } = committedBatches(answer(log, offset, size), offset);
          for (const batch of batches) {
            const cursor = new RecordCursor(batch);
            while (cursor.next()) if (cursor.offset >= offset) seen.push(cursor.offset);
          }
          assert.ok(nextOffset > offset);
          offset = nextOffset;
        }
        const wanted = log.committed.filter((offset) => offset >= from);
        assert.deepEqual(
          seen,
          wanted.toSorted((one, other) => one - other),
        );
      },
    ),
    { numRuns: 500 },
  );
});
