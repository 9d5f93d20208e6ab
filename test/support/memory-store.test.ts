/** The stores of simulations keep the real ones' contracts, and lose what they say they lose. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { topicContract } from '../../src/log/log.contract.ts';
import { systemClock } from '../../src/ops/clock.ts';
import {
  bytes,
  commitOf,
  STATE_UNDER_TEST,
  stateContract,
} from '../../src/state/state.contract.ts';
import { MemoryStore } from './memory-store.ts';
import { MemoryTopic } from './memory-topic.ts';

const STORE_OPTIONS = { ...STATE_UNDER_TEST, clock: systemClock };
const TOPIC_OPTIONS = { name: 'events', logId: 'log', partitionCount: 2, clock: systemClock };

stateContract('memory store', async () => {
  let store = new MemoryStore(STORE_OPTIONS);
  return {
    store,
    async reopen() {
      store = store.reopen();
      return store;
    },
    async dispose() {},
  };
});

topicContract('memory topic', async () => {
  let topic = new MemoryTopic(TOPIC_OPTIONS);
  return {
    topic,
    async reopen() {
      topic = topic.reopen();
      return topic;
    },
    async dispose() {},
  };
});

it('a crashed store keeps what was synced and the first of what was not', async () => {
  for (const [kept, wanted] of [
    [0, 2],
    [1, 3],
    [2, 4],
    [Number.POSITIVE_INFINITY, 4],
  ] as const) {
    const store = new MemoryStore(STORE_OPTIONS);
    for (let n = 1; n <= 4; n++) {
      const writes = [{ key: bytes(`${n}`), value: bytes('x') }];
      const outputs = [{ topic: 'sessions', key: 'k', value: bytes(`${n}`) }];
      const checkpoint = { logId: 'log', nextOffset: n, clockMs: n };
      await store.commit([commitOf(0, { writes, outputs, checkpoint })]);
      if (n === 2) await store.sync();
    }
    const next = store.crash(kept);
    await assert.rejects(store.commit([]), { code: 'log_closed' });
    assert.equal((await next.open(0))?.nextOffset, wanted);
    const values = await next.getMany(0, ['1', '2', '3', '4'].map(bytes));
    assert.equal(values.filter((value) => value !== null).length, wanted);
    assert.equal(next.topic('sessions').endOffset(0), wanted);
    assert.equal(next.unsyncedCount, 0);
  }
});

it('a crashed store may have what was being written, and only that of a commit or all', async () => {
  for (const kept of [0, 1, 2]) {
    let powered = true;
    const write = () => (powered ? Promise.resolve() : new Promise<void>(() => {}));
    const store = new MemoryStore({ ...STORE_OPTIONS, write });
    const commit = (n: number) =>
      store.commit(
        [0, 1].map((partition) => {
          const checkpoint = { logId: 'log', nextOffset: n, clockMs: n };
          return commitOf(partition, { checkpoint });
        }),
      );
    await commit(1);
    await store.sync();
    powered = false;
    void commit(2);
    void commit(3);
    assert.equal((await store.open(0))?.nextOffset, 1);
    assert.deepEqual([store.unsyncedCount, store.waitingCount], [0, 2]);
    const next = store.crash(kept);
    for (const partition of [0, 1]) {
      assert.equal((await next.open(partition))?.nextOffset, 1 + kept);
    }
  }
});

it('a commit that is changed before it is done is caught', async () => {
  const store = new MemoryStore(STORE_OPTIONS);
  const value = bytes('before');
  const committing = store.commit([commitOf(0, { writes: [{ key: bytes('k'), value }] })]);
  value[0] = 0;
  await assert.rejects(committing, /changed before it was done/);
});

it('a crashed topic keeps what was acknowledged, and any part of what was not', async () => {
  for (const [share, wanted] of [
    [0, 1],
    [0.5, 3],
    [1, 5],
  ] as const) {
    let powered = true;
    const sync = () => (powered ? Promise.resolve() : new Promise<void>(() => {}));
    const topic = new MemoryTopic({ ...TOPIC_OPTIONS, sync });
    await topic.append([{ partition: 0, key: 'k', value: bytes('durable') }]);
    powered = false;
    const lost = Array.from({ length: 4 }, () => ({
      partition: 0,
      key: 'k',
      value: bytes('lost'),
    }));
    void topic.append(lost);
    assert.equal((await topic.read(0, 0, 1e9)).length, 1);
    const next = topic.crash(share);
    assert.equal(next.endOffset(0), wanted);
    assert.equal((await next.read(0, 0, 1e9)).length, wanted);
    assert.deepEqual(await next.append([{ partition: 0, key: 'k', value: bytes('') }]), [wanted]);
  }
});
