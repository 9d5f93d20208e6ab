/** What the fetcher asks whom, told by a cluster that only answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../ops/logger.ts';
import type { Cluster } from './cluster.ts';
import { Fetcher } from './fetcher.ts';

test('a partition whose leader moves while nobody asks for it is asked for at the new one', async () => {
  let leader = 1;
  const asked: number[] = [];
  const { promise: moved, resolve: askedNew } = Promise.withResolvers<void>();
  const cluster = {
    clock: {
      nowMs: () => 0,
      monotonicMs: () => 0,
      // Somebody else learns of the new leader while the fetcher rests.
      sleep: async () => {
        if (asked.length === 3) leader = 2;
        await new Promise(setImmediate);
      },
    },
    logger: createLogger('fatal'),
    leaderOf: () => leader,
    noteSuccess: () => {},
    releaseLanes: () => {},
    call: async (node: number) => {
      asked.push(node);
      if (node === 2) askedNew();
      const offsets = { lastStableOffset: 0, highWatermark: 0, firstOffset: 0 };
      return [{ partition: 0, errorCode: 0, ...offsets, records: Buffer.alloc(0), aborted: [] }];
    },
  } as unknown as Cluster;
  const topic = { name: 't', topicId: 'id', partitions: [] };
  const fetcher = new Fetcher({ cluster, topic, lane: 'test', onNews: () => {} } as never);
  fetcher.follow(0, 0);
  await moved;
  fetcher.close();
  assert.deepEqual(asked.slice(0, 3), [1, 1, 1]);
});
