/** What the processor counts: events once committed, sessions, and how partitions stand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../ops/clock.ts';
import { createMetrics } from '../../ops/metrics.ts';
import type { PartitionStatus } from '../../state/query.ts';
import type { TaskCommit } from './partition-task.ts';
import { processorMetrics, watchProcessor } from './processor-metrics.ts';

const NO_CHANGES = {
  ...{ opened: 0, merged: 0, closed: 0, amended: 0, revived: 0, settled: 0, capped: 0 },
};

function commitOf(parts: Record<string, unknown>): TaskCommit {
  const commit = { writes: [], outputs: [] };
  return { commit, sent: [], changes: NO_CHANGES, ...parts } as unknown as TaskCommit;
}

test('events count with the commit that holds them; unusual types are OTHER', async () => {
  const metrics = createMetrics();
  const told = processorMetrics(metrics, { size: async () => 3 });
  told.onFate('opened', 'CLICK', '');
  told.onFate('late', 'a type of one user', 'too_late');
  const line = 'lull_events_processed_total{type="CLICK",fate="opened",reason=""}';
  assert.ok((await metrics.text()).includes(`${line} 0\n`));
  told.onCommit(1, 20, [commitOf({})]);
  const text = await metrics.text();
  assert.ok(text.includes(`${line} 1\n`));
  assert.match(text, /\{type="OTHER",fate="late",reason="too_late"\} 1$/m);
  assert.match(text, /^lull_commit_duration_seconds_sum 0.02$/m);
  assert.match(text, /^kafka_streams_state_store_records 3$/m);
});

test('sessions count by what happened to them, and as they are sent, by tier', async () => {
  const metrics = createMetrics();
  const told = processorMetrics(metrics, { size: async () => 0 });
  const writes = [{ key: new Uint8Array(10), value: new Uint8Array(90) }];
  const outputs = [{ topic: 'sessions', key: 'user', value: new Uint8Array(96) }];
  const sent = [
    { state: 'amended', tier: '1h' },
    { state: 'merged', tier: '' },
  ];
  const changes = { ...NO_CHANGES, opened: 2, amended: 1 };
  told.onCommit(1, 1, [commitOf({ commit: { writes, outputs }, sent, changes }), commitOf({})]);
  told.onCommitAborted();
  const text = await metrics.text();
  assert.match(text, /^lull_sessions_total\{change="opened"\} 2$/m);
  assert.match(text, /^lull_sessions_sent_total\{state="amended",tier="1h"\} 1$/m);
  assert.match(text, /^lull_sessions_sent_total\{state="merged",tier=""\} 1$/m);
  assert.match(text, /^lull_commit_bytes_sum 200$/m);
  assert.match(text, /^lull_commits_aborted_total 1$/m);
});

test('while the live cache is away the others are told', async () => {
  const metrics = createMetrics();
  processorMetrics(metrics, { size: async () => Promise.reject(new Error('away')) });
  const text = await metrics.text();
  assert.doesNotMatch(text, /^kafka_streams_state_store_records \d/m);
  assert.match(text, /^lull_commits_aborted_total 0$/m);
});

test('a partition that has gone is told of no more', async () => {
  const metrics = createMetrics();
  const clock: Clock = { ...systemClock, nowMs: () => 100_000 };
  const running = { state: 'running', visibleOffset: 4, endOffset: 10, usersInMemory: 2 };
  const times = { clockMs: 95_000, sendingClockMs: 99_000 };
  const restoring = { state: 'restoring', visibleOffset: null, endOffset: 9, usersInMemory: 0 };
  let partitions = [
    { partition: 0, ...running, ...times },
    { partition: 1, ...restoring, clockMs: null, sendingClockMs: null },
  ] as unknown as PartitionStatus[];
  watchProcessor(metrics, {
    processor: { status: () => partitions },
    store: { sizeBytes: async () => 7 },
    clock,
    memoryUsers: 50,
    restoreRecords: () => 30,
    standbyTarget: 1,
    standbys: () => new Map([[2, 5]]),
  });
  const text = await metrics.text();
  assert.match(text, /^lull_consumer_lag_records\{partition="0"\} 6$/m);
  assert.doesNotMatch(text, /^lull_consumer_lag_records\{partition="1"\}/m);
  assert.match(text, /^lull_clock_lag_seconds\{partition="0"\} 5$/m);
  assert.match(text, /^lull_sending_clock_lag_seconds\{partition="0"\} 1$/m);
  assert.match(text, /^lull_restore_remaining_records\{partition="1"\} 30$/m);
  assert.match(text, /^lull_partitions\{state="restoring"\} 1$/m);
  assert.match(text, /^lull_standby_copies 1$/m);
  assert.match(text, /^lull_standby_lag_records\{partition="2"\} 5$/m);
  partitions = [];
  const later = await metrics.text();
  assert.doesNotMatch(later, /^lull_(consumer|clock|restore)\w+\{/m);
  assert.match(later, /^lull_partitions\{state="running"\} 0$/m);
});
