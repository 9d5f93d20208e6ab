/** The processor while partitions come and go, and commits are taken back. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import { MemoryTopic } from '../../../test/support/memory-topic.ts';
import { DEFAULT_DEFINITION } from '../../core/definition.ts';
import { partitionOf } from '../../core/hash.ts';
import type { SentRecord } from '../../core/output.ts';
import { openProcessLive } from '../../live/process-live.ts';
import { systemClock as clock } from '../../ops/clock.ts';
import { CommitAborted, type PartitionCommit } from '../../state/state.ts';
import { type ProcessorOptions, SessionProcessor } from './session-processor.ts';
import { decodeLive } from './state-reader.ts';

const PARTITIONS = 2;
const LONG_MS = 10_000;
/** By the partition that it is in. */
const USERS = [userIn(0), userIn(1)] as const;

/** A store whose openings and commits a test can hold up and take back. */
class HeldStore extends MemoryStore {
  readonly opened: number[] = [];
  beforeOpen: (partition: number, signal: AbortSignal | undefined) => Promise<void> =
    async () => {};
  beforeCommit: (commits: readonly PartitionCommit[]) => Promise<void> = async () => {};

  override async open(partition: number, signal?: AbortSignal) {
    await this.beforeOpen(partition, signal);
    this.opened.push(partition);
    return super.open(partition);
  }

  override async commit(commits: readonly PartitionCommit[]) {
    await this.beforeCommit(commits);
    return super.commit(commits);
  }
}

async function openSystem(context: TestContext, options: Partial<ProcessorOptions> = {}) {
  const input = new MemoryTopic({
    ...{ name: 'user-events', logId: 'log', partitionCount: PARTITIONS, clock },
  });
  const outputTopics = ['sessions', 'late-events', 'rejected-events'];
  const store = new HeldStore({ partitionCount: PARTITIONS, outputTopics, clock });
  const live = openProcessLive({
    ...{ clock, ttlMs: 1e9, maxUsers: 1000 },
    decode: (userId, bytes, partition) =>
      decodeLive(DEFAULT_DEFINITION, { logId: 'log', partition }, userId, bytes),
  });
  const processor = new SessionProcessor({
    ...{ definition: DEFAULT_DEFINITION, input, store, live, clock },
    ...{ commitIntervalMs: 1, memoryUsers: 1000 },
    ...options,
  });
  const failed = processor.start();
  context.after(() => processor.close());
  /** An event of the partition's user; resolves with its offset. */
  const send = async (partition: 0 | 1, eventType = 'CLICK') => {
    const event = { userId: USERS[partition], eventType, timestamp: Date.now() };
    const value = Buffer.from(JSON.stringify(event));
    const [offset] = await input.append([{ partition, key: USERS[partition], value }]);
    return offset!;
  };
  const eventCount = async (partition: 0 | 1) =>
    (await processor.sessionsOf(USERS[partition]))?.sessions[0]?.eventCount ?? null;
  return { input, store, live, processor, failed, send, eventCount };
}

const statesOf = (processor: SessionProcessor) =>
  processor.status().map(({ partition, state }) => `${partition} ${state}`);

test('a partition that is slow to open holds up no other', async (context) => {
  const { store, processor, send, eventCount } = await openSystem(context);
  const gate = Promise.withResolvers<void>();
  store.beforeOpen = (partition) => (partition === 1 ? gate.promise : Promise.resolve());
  const assigned = processor.assign([0, 1]);
  const [first, second] = [await send(0), await send(1)];
  assert.equal(await processor.waitVisible(0, first, LONG_MS), 'published');
  assert.deepEqual(statesOf(processor), ['0 running', '1 restoring']);
  assert.equal(await processor.sessionsOf(USERS[1]), null);
  const waiting = processor.waitVisible(1, second, LONG_MS);
  gate.resolve();
  await assigned;
  assert.equal(await waiting, 'published');
  assert.deepEqual([await eventCount(0), await eventCount(1)], [1, 1]);
});

test('a commit that is taken back while it is paused opens nothing', async (context) => {
  const { store, processor, send, eventCount } = await openSystem(context);
  await processor.assign([0]);
  const seen = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  store.beforeCommit = async () => {
    seen.resolve();
    await gate.promise;
    throw new CommitAborted('the transaction took too long');
  };
  const offset = await send(0);
  await seen.promise;
  const paused = processor.pause();
  let opened = 0;
  store.beforeOpen = async () => void opened++;
  gate.resolve();
  await paused;
  await clock.sleep(20);
  assert.deepEqual([opened, ...statesOf(processor)], [0, '0 restoring']);
  store.beforeCommit = async () => {};
  await processor.assign([0]);
  assert.equal(await processor.waitVisible(0, offset, LONG_MS), 'published');
  assert.equal(await eventCount(0), 1);
});

test('what was not committed is forgotten with its assignment, and read again', async (context) => {
  const { store, processor, send, eventCount } = await openSystem(context);
  await processor.assign([0, 1]);
  const seen = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  store.beforeCommit = async () => {
    seen.resolve();
    await gate.promise;
  };
  await send(0);
  await seen.promise;
  const last = await send(0);
  const paused = processor.pause();
  assert.deepEqual(statesOf(processor), ['0 restoring', '1 restoring']);
  let isPaused = false;
  void paused.then(() => {
    isPaused = true;
  });
  await clock.sleep(20);
  assert.equal(isPaused, false, 'the commit under way is waited for');
  gate.resolve();
  await paused;
  assert.equal((await store.open(0))!.nextOffset, 1);
  await processor.assign([0]);
  assert.equal(await processor.waitVisible(0, last, LONG_MS), 'published');
  assert.equal(await eventCount(0), 2);
  assert.equal(await processor.waitVisible(1, 0, LONG_MS), null, 'it is no longer ours');
});

test('commits that are taken back count nothing twice, in any partition', async (context) => {
  const { store, processor, send, eventCount } = await openSystem(context);
  await processor.assign([0, 1]);
  let aborts = 3;
  store.beforeCommit = async () => {
    if (aborts-- > 0) throw new CommitAborted('another owner');
  };
  const last = [0, 0];
  for (let round = 0; round < 20; round++) {
    last[0] = await send(0);
    last[1] = await send(1);
  }
  assert.equal(await processor.waitVisible(0, last[0]!, LONG_MS), 'published');
  assert.equal(await processor.waitVisible(1, last[1]!, LONG_MS), 'published');
  assert.deepEqual([await eventCount(0), await eventCount(1)], [20, 20]);
  assert.equal(store.opened.length, 8, 'both are opened once at first, and after each');
});

test('a commit that was taken back after a newer assignment leaves that alone', async (context) => {
  const { store, processor, send, eventCount } = await openSystem(context);
  await processor.assign([0]);
  const gate = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  store.beforeCommit = async () => {
    store.beforeCommit = async () => {};
    seen.resolve();
    await gate.promise;
    throw new CommitAborted('another owner');
  };
  await send(0);
  await seen.promise;
  const assigned = processor.assign([1]);
  gate.resolve();
  await assigned;
  const last = await send(1);
  assert.equal(await processor.waitVisible(1, last, LONG_MS), 'published');
  assert.deepEqual(statesOf(processor), ['1 running']);
  assert.equal(await eventCount(1), 1);
  assert.equal(await store.open(0), null, 'nothing of the other was committed');
});

test('a newer assignment ends the openings of the one before', async (context) => {
  const { store, processor, send } = await openSystem(context);
  store.beforeOpen = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal!.addEventListener('abort', () => reject(signal!.reason));
    });
  const first = processor.assign([0, 1]);
  while (processor.status().length === 0) await clock.sleep(1);
  await clock.sleep(5);
  store.beforeOpen = async () => {};
  await Promise.all([first, processor.assign([1])]);
  assert.equal(await processor.waitVisible(1, await send(1), LONG_MS), 'published');
  assert.deepEqual(statesOf(processor), ['1 running']);
});

test('an opening that fails ends the processor, with its reason', async (context) => {
  const { store, processor, failed } = await openSystem(context);
  store.beforeOpen = async () => {
    throw new Error('the changelog is damaged');
  };
  await assert.rejects(processor.assign([0]), /damaged/);
  await assert.rejects(failed, /damaged/);
  const [status] = processor.status();
  assert.deepEqual([status!.state, status!.reason], ['stopped', 'the changelog is damaged']);
});

test('whoever may be no owner any more waits, whatever goes wrong meanwhile', async (context) => {
  let isOwner = true;
  const { store, processor, send, eventCount } = await openSystem(context, {
    isOwner: () => isOwner,
  });
  await processor.assign([0]);
  const aborted = Promise.withResolvers<void>();
  store.beforeCommit = async () => {
    isOwner = false;
    store.beforeCommit = async () => {};
    aborted.resolve();
    throw new CommitAborted('another owner');
  };
  const last = await send(0);
  await aborted.promise;
  await clock.sleep(250);
  assert.deepEqual([store.opened.length, ...statesOf(processor)], [1, '0 restoring']);
  store.beforeOpen = async () => {
    throw new Error('two that do not fit together');
  };
  await processor.assign([0]);
  await clock.sleep(50);
  assert.deepEqual(statesOf(processor), ['0 restoring']);
  store.beforeOpen = async () => {};
  isOwner = true;
  assert.equal(await processor.waitVisible(0, last, LONG_MS), 'published');
  assert.equal(await eventCount(0), 1);
});

test('an answer says whether it is an owner’s, a standby’s, or none', async (context) => {
  let isOwner = true;
  const { processor, send } = await openSystem(context, {
    isOwner: () => isOwner,
    standbyAsOfMs: (partition) => (partition === 1 ? 123 : null),
  });
  await processor.assign([0]);
  await processor.waitVisible(0, await send(0), LONG_MS);
  const answer = async (userId: string) => {
    const { source, asOfMs } = (await processor.sessionsOf(userId))!;
    return { source, isNow: Math.abs(Date.now() - asOfMs) < LONG_MS };
  };
  assert.deepEqual(await answer(USERS[0]), { source: 'state', isNow: true });
  isOwner = false;
  assert.deepEqual(await answer(USERS[0]), { source: 'standby', isNow: true });
  assert.deepEqual(await answer(USERS[1]), { source: 'standby', isNow: false });
  await processor.assign([1]);
  assert.equal(await processor.sessionsOf(USERS[0]), null);
});

test('live sessions are filled in on take-over, and when they are missed', async (context) => {
  const { processor, live, send, store } = await openSystem(context);
  await processor.assign([0, 1]);
  await processor.waitVisible(0, await send(0), LONG_MS);
  const successorLive = openProcessLive({
    ...{ clock, ttlMs: 1e9, maxUsers: 1000 },
    decode: (userId, bytes, partition) =>
      decodeLive(DEFAULT_DEFINITION, { logId: 'log', partition }, userId, bytes),
  });
  await processor.close();
  const input = new MemoryTopic({
    ...{ name: 'user-events', logId: 'log', partitionCount: PARTITIONS, clock },
  });
  await input.append([{ partition: 0, key: USERS[0], value: Buffer.from('{}') }]);
  const listeners = new Set<(partition: number) => void>();
  let published: number | null = null;
  const successor = new SessionProcessor({
    ...{ definition: DEFAULT_DEFINITION, input, store, clock },
    ...{ commitIntervalMs: 1, memoryUsers: 1000 },
    live: {
      ...live,
      publish: async () => false,
      publishedPosition: async () => published,
      refill: async (partition, position, updates) => {
        published = position;
        return successorLive.refill(partition, position, updates);
      },
      onRefillNeeded: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  });
  context.after(() => successor.close());
  void successor.start();
  await successor.assign([0]);
  while (published === null) await clock.sleep(1);
  assert.equal(published, store.position());
  while ((await successorLive.get(USERS[0])) === null) await clock.sleep(1);
  assert.equal((await successorLive.get(USERS[0]))!.session.eventCount, 1);
  // A commit that can't be published is in the state only, until it is filled in.
  const value = Buffer.from('not an event');
  const [offset] = await input.append([{ partition: 0, key: USERS[0], value }]);
  assert.equal(await successor.waitVisible(0, offset!, LONG_MS), 'committed');
  for (const listener of listeners) listener(0);
  while ((await successor.waitVisible(0, offset!, LONG_MS)) !== 'published') await clock.sleep(1);
  assert.equal(published, store.position());
});

test('what is level when it is taken up is not filled in, whatever is committed meanwhile', async (context) => {
  const { live, store } = await openSystem(context);
  const input = new MemoryTopic({
    ...{ name: 'user-events', logId: 'log', partitionCount: PARTITIONS, clock },
  });
  const atFirst = store.position();
  const listeners = new Set<(partition: number) => void>();
  const filled: number[] = [];
  const filling = Promise.withResolvers<void>();
  const processor = new SessionProcessor({
    ...{ definition: DEFAULT_DEFINITION, input, store, clock },
    ...{ commitIntervalMs: 1, memoryUsers: 1000 },
    live: {
      ...live,
      publish: async () => true,
      publishedPosition: async (partition) => (partition === 0 ? null : atFirst),
      refill: async (partition) => {
        filled.push(partition);
        await filling.promise;
        return true;
      },
      onRefillNeeded: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  });
  context.after(() => processor.close());
  void processor.start();
  await processor.assign([0, 1]);
  while (filled.length === 0) await clock.sleep(1);
  const value = Buffer.from('not an event');
  const [offset] = await input.append([{ partition: 1, key: USERS[1], value }]);
  assert.equal(await processor.waitVisible(1, offset!, LONG_MS), 'published');
  filling.resolve();
  // One filling follows the other: once this one is, any before it has been.
  for (const listener of listeners) listener(0);
  while (filled.length < 2) await clock.sleep(1);
  assert.deepEqual(filled, [0, 0]);
});

test('closing commits what was read', async (context) => {
  const { processor, send, store } = await openSystem(context, { commitIntervalMs: 60_000 });
  await processor.assign([0]);
  await send(0);
  while (processor.status()[0]!.counts!.opened === 0) await clock.sleep(1);
  assert.equal(await store.open(0), null);
  await processor.close();
  assert.equal((await store.open(0))!.nextOffset, 1);
  const sent = await store.topic('sessions').read(0, 0, 1e6);
  assert.deepEqual(
    sent.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as SentRecord),
    [],
  );
});

function userIn(partition: number): string {
  for (let number = 0; ; number++) {
    if (partitionOf(`user-${number}`, PARTITIONS) === partition) return `user-${number}`;
  }
}
