/** Sessions close when traffic stops, whoever else waits, and whether or not they are in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import type { SentRecord } from '../../src/core/output.ts';
import { openProcessLive } from '../../src/live/process-live.ts';
import { SessionProcessor } from '../../src/services/session-processor/session-processor.ts';
import { decodeLive } from '../../src/services/session-processor/state-reader.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { MemoryTopic } from '../support/memory-topic.ts';
import { VirtualClock } from './virtual-clock.ts';

const MINUTE_MS = 60_000;
const TEN_MS = Date.UTC(2026, 0, 1, 10);
const LOG_ID = 'log';

interface Quiet {
  readonly clock: VirtualClock;
  readonly processor: SessionProcessor;
  /** An event that happened so many minutes after ten, and fills so many bytes. */
  readonly event: (userId: string, minute: number, bytes?: number) => Promise<void>;
  /** What was sent so far, after all that can be done now is done. */
  readonly sent: () => Promise<string[]>;
}

/** One partition that keeps no user in memory longer than it must. */
async function openQuiet(): Promise<Quiet> {
  const clock = new VirtualClock(TEN_MS);
  const input = new MemoryTopic({ name: 'user-events', logId: LOG_ID, partitionCount: 1, clock });
  const store = new MemoryStore({
    ...{ partitionCount: 1, clock },
    outputTopics: ['sessions', 'late-events', 'rejected-events'],
  });
  const definition = DEFAULT_DEFINITION;
  const live = openProcessLive({
    ...{ clock, ttlMs: 1e12, maxUsers: 10 },
    decode: (userId, bytes) =>
      decodeLive(definition, { logId: LOG_ID, partition: 0 }, userId, bytes),
  });
  const processor = await SessionProcessor.open({
    ...{ definition, input, store, live, clock },
    ...{ commitIntervalMs: 1, memoryUsers: 0 },
  });
  return {
    clock,
    processor,
    event: async (userId, minute, bytes = 0) => {
      const timestamp = TEN_MS + minute * MINUTE_MS;
      const properties = { filler: 'x'.repeat(bytes) };
      const event = { userId, eventType: 'CLICK', timestamp, properties };
      const value = Buffer.from(JSON.stringify(event));
      await input.append([{ partition: 0, key: userId, value }]);
    },
    sent: async () => {
      // A user is let go of at the second look that finds it unused.
      for (let round = 0; round < 3; round++) {
        while (await processor.turn());
        await processor.commit();
      }
      const records = await store.topic('sessions').read(0, 0, Number.POSITIVE_INFINITY);
      return records.map(({ value }) => {
        const record = JSON.parse(Buffer.from(value).toString()) as SentRecord;
        return `${record.userId} ${record.state} r${record.revision}`;
      });
    },
  };
}

test('after idle, with no event at all', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  assert.deepEqual(await sent(), []);
  // The sending clock runs from the event clock on, a millisecond beyond the deadline here.
  clock.advance(35 * MINUTE_MS);
  assert.deepEqual(await sent(), []);
  clock.advance(1);
  assert.deepEqual(await sent(), ['one closed r1']);
});

test('not before idle has passed, counted from when the event clock last moved', async () => {
  const { clock, event, sent } = await openQuiet();
  clock.advance(60 * MINUTE_MS);
  await event('one', 0);
  await event('two', 60);
  assert.deepEqual(await sent(), ['one closed r1']);
  // An event for the past is late for nobody else, and does not move the clock.
  clock.advance(MINUTE_MS / 2);
  await event('three', 59);
  assert.deepEqual(await sent(), ['one closed r1']);
  clock.advance(34 * MINUTE_MS + MINUTE_MS / 2);
  assert.deepEqual(await sent(), ['one closed r1', 'three closed r1']);
});

test('a session from within an earlier silence, whose user was let go of meanwhile', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  await sent();
  clock.advance(120 * MINUTE_MS);
  assert.deepEqual(await sent(), ['one closed r1']);
  await event('two', 60);
  assert.deepEqual(await sent(), ['one closed r1']);
  clock.advance(36 * MINUTE_MS);
  assert.deepEqual(await sent(), ['one closed r1', 'two closed r1']);
});

test('a live session of a user with a closed one that waits to be forgotten', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  // By silence the first session is past its last tier before the second one is due.
  clock.advance(24 * 60 * MINUTE_MS + 20 * MINUTE_MS);
  await event('one', 24 * 60 + 20);
  assert.deepEqual(await sent(), ['one closed r1']);
  clock.advance(15 * MINUTE_MS);
  assert.deepEqual(await sent(), ['one closed r1']);
  clock.advance(20 * MINUTE_MS + 1);
  assert.deepEqual(await sent(), ['one closed r1', 'one closed r1']);
});

test('what silence closed, once more when it grows', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  await sent();
  clock.advance(40 * MINUTE_MS);
  assert.deepEqual(await sent(), ['one closed r1']);
  await event('one', 20);
  assert.deepEqual(await sent(), ['one closed r1', 'one active r2']);
  clock.advance(35 * MINUTE_MS + 1);
  assert.deepEqual(await sent(), ['one closed r1', 'one active r2', 'one closed r3']);
});

test('from exactly idle on', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  clock.advance(34.5 * MINUTE_MS);
  await event('two', 34.5);
  assert.deepEqual(await sent(), []);
  clock.advance(MINUTE_MS - 1);
  assert.deepEqual(await sent(), []);
  clock.advance(1);
  assert.deepEqual(await sent(), ['one closed r1']);
});

test('but not beyond wall time, should that have been set back', async () => {
  const { clock, event, sent } = await openQuiet();
  await event('one', 0);
  await sent();
  clock.advance(60 * MINUTE_MS);
  clock.setWall(TEN_MS + 35 * MINUTE_MS);
  assert.deepEqual(await sent(), []);
  clock.setWall(TEN_MS + 35 * MINUTE_MS + 1);
  assert.deepEqual(await sent(), ['one closed r1']);
});

test('but not while there is still something to be read', async () => {
  const { clock, processor, event, sent } = await openQuiet();
  await event('one', 0);
  // Read in several turns; none of it moves the clock.
  for (let count = 0; count < 9; count++) await event('two', 0, 500_000);
  for (let turn = 0; turn < 3; turn++) {
    clock.advance(20 * MINUTE_MS);
    await processor.turn();
    assert.equal(processor.status()[0]!.sendingClockMs, TEN_MS);
  }
  // Only now does idle begin to count.
  assert.deepEqual(await sent(), []);
  clock.advance(35 * MINUTE_MS + 1);
  assert.deepEqual((await sent()).sort(), ['one closed r1', 'two closed r1']);
});

test('users are let go of, though their deadlines have moved on since they were stored', async () => {
  const { clock, processor, event, sent } = await openQuiet();
  for (const minute of [0, 20, 40, 60]) {
    await event('one', minute);
    clock.advance(20 * MINUTE_MS - 1);
    assert.deepEqual(await sent(), []);
    assert.equal(processor.status()[0]!.usersInMemory, 0, `after ${minute} minutes`);
    clock.advance(1);
  }
});
