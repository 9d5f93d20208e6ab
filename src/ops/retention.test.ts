/** What is let go, and what is not, against stores that say how much they hold. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { DEFAULT_DEFINITION } from '../core/definition.ts';
import { createLogger } from './logger.ts';
import { BoundsKeeper, type Stored } from './retention.ts';

const NOW_MS = 1_800_000_000_000;
const END_OFFSET = 1000;
const SAFE_OFFSET = 900;
const MAX_DISK_BYTES = 1_000_000_000;

let logBytes: number;
let historyBytes: number;
/** What was let go, in order: of the log and the topics the first offset kept. */
let gone: [what: string, amount: number][];

beforeEach(() => {
  logBytes = 100_000_000;
  historyBytes = 100_000_000;
  gone = [];
});

/** One partition; a record arrived every second until now. */
const topic = {
  partitionCount: 1,
  endOffset: () => END_OFFSET,
  offsetAt: async (_partition: number, arrivalMs: number) =>
    Math.max(0, END_OFFSET - Math.floor((NOW_MS - arrivalMs) / 1000)),
};

const stored = {
  events: {
    ...topic,
    sizeBytes: () => logBytes,
    release: async ([offset]: readonly number[]) => {
      gone.push(['events', offset!]);
    },
  },
  store: {
    sync: async () => new Map([[0, SAFE_OFFSET]]),
    sizeBytes: async () => 0,
    topic: () => topic as unknown as ReturnType<Stored['store']['topic']>,
    releaseOutputs: async (name: string, [offset]: readonly number[]) => {
      gone.push([name, offset!]);
    },
  },
  history: {
    expire: async (beforeMs: number, limit: number) => {
      assert.equal(beforeMs, NOW_MS);
      gone.push(['sessions', limit]);
      return limit;
    },
    sizeBytes: async () => historyBytes,
  },
} satisfies Stored;

function keeper(parts: { lastTierMs: number; retainEventsMs: number }): BoundsKeeper {
  return new BoundsKeeper({
    ...stored,
    clock: { nowMs: () => NOW_MS, monotonicMs: () => 0, sleep: async () => {} },
    logger: createLogger('silent'),
    definition: { ...DEFAULT_DEFINITION, gapMs: 10_000, tiersMs: [parts.lastTierMs] },
    retainEventsMs: parts.retainEventsMs,
    maxDiskBytes: MAX_DISK_BYTES,
  });
}

test('events go by age once they are settled, refused ones by age alone', async () => {
  assert.equal(await keeper({ lastTierMs: 60_000, retainEventsMs: 100_000 }).keep(), 0);
  assert.deepEqual(gone, [
    ['events', END_OFFSET - 170],
    ['late-events', END_OFFSET - 100],
    ['rejected-events', END_OFFSET - 100],
  ]);
});

test('an event that the state does not hold for good stays, however old', async () => {
  await keeper({ lastTierMs: 0, retainEventsMs: 0 }).keep();
  assert.deepEqual(gone[0], ['events', SAFE_OFFSET]);
});

test('over the bound, everything in the log that is safe goes before any session', async () => {
  logBytes = MAX_DISK_BYTES;
  const keep = keeper({ lastTierMs: 60_000, retainEventsMs: 100_000 });
  assert.equal(await keep.keep(), 0);
  assert.deepEqual(gone, [
    ['events', SAFE_OFFSET],
    ['late-events', END_OFFSET],
    ['rejected-events', END_OFFSET],
  ]);
});

test("sessions go while history's files grow; the room that they leave is used first", async () => {
  const keep = keeper({ lastTierMs: 60_000, retainEventsMs: 100_000 });
  await keep.keep();
  historyBytes = MAX_DISK_BYTES;
  assert.equal(await keep.keep(), 1_800_000);
  assert.equal(await keep.keep(), 0);
  historyBytes += 8192;
  assert.equal(await keep.keep(), 10_000);
  assert.equal(await keep.keep(), 0);
});
