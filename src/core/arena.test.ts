/** Runs of bytes: none overlaps another, and what came back is used again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, sizeFor } from './arena.ts';

interface Run {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly size: number;
  readonly mark: number;
}

test('sizes are powers of two from 64 on', () => {
  assert.deepEqual([0, 1, 64, 65, 128, 129, 5000].map(sizeFor), [64, 64, 64, 128, 128, 256, 8192]);
});

test('runs keep what is written into them until they are given back', () => {
  const steps = fc.array(
    fc.tuple(
      fc.nat(3_000_000).map((length) => length >> (length % 22)),
      fc.nat(),
    ),
  );
  fc.assert(
    fc.property(steps, (list) => {
      const arena = new Arena();
      const runs: Run[] = [];
      for (const [mark, [length, pick]] of list.entries()) {
        if (pick % 3 === 0 && runs.length > 0) {
          const [run] = runs.splice(pick % runs.length, 1);
          check(run!);
          arena.give(run!.bytes, run!.start, run!.size);
          continue;
        }
        const size = sizeFor(length);
        const start = arena.take(size);
        const run = { bytes: arena.bytes, start, size, mark: mark % 251 };
        assert.ok(start + size <= run.bytes.length);
        run.bytes.fill(run.mark, start, start + size);
        runs.push(run);
      }
      runs.forEach(check);
      assert.equal(
        arena.takenBytes,
        runs.reduce((sum, { size }) => sum + size, 0),
      );
    }),
  );
});

test('a run that came back is the next one of its size', () => {
  const arena = new Arena();
  const start = arena.take(128);
  const { bytes } = arena;
  arena.give(bytes, start, 128);
  arena.take(64);
  assert.equal(arena.take(128), start);
  assert.equal(arena.bytes, bytes);
});

function check({ bytes, start, size, mark }: Run): void {
  assert.ok(bytes.subarray(start, start + size).every((byte) => byte === mark));
}
