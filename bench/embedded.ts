/**
 * The embedded system's whole path in one process: log append, processor, state commit, live,
 * history; every event synced before it counts. Prints events a second and CPU an event.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import { isoTime } from '../src/core/describe.ts';
import { partitionOf } from '../src/core/hash.ts';
import { openEmbeddedHistory } from '../src/history/pglite.ts';
import { openProcessLive } from '../src/live/process-live.ts';
import type { NewRecord } from '../src/log/log.ts';
import { openSegmentLog } from '../src/log/segment-log.ts';
import { systemClock } from '../src/ops/clock.ts';
import { createLogger } from '../src/ops/logger.ts';
import { createMetrics } from '../src/ops/metrics.ts';
import { startSessionAnalytics } from '../src/services/session-analytics/session-analytics.ts';
import { SessionProcessor } from '../src/services/session-processor/session-processor.ts';
import { decodeLive } from '../src/services/session-processor/state-reader.ts';
import { openRocksStore } from '../src/state/rocksdb-store.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    users: { type: 'string', default: '50000' },
    batch: { type: 'string', default: '2000' },
  },
});
const EVENTS = Number(values.events);
const USERS = Number(values.users);
const BATCH = Number(values.batch);
const PARTITIONS = 8;
const DAY_MS = 86_400_000;
/** Event time from one event to the next: with it sessions have some ten events. */
const STEP_MS = (12 * 50_000) / USERS;

const userIds = Array.from({ length: USERS }, (_, index) => `user-${index}`);
const partitions = userIds.map((userId) => partitionOf(userId, PARTITIONS));
const directory = mkdtempSync(join(tmpdir(), 'lull-bench-'));
const definition = DEFAULT_DEFINITION;
const clock = systemClock;
const outputTopics = ['sessions', 'late-events', 'rejected-events'];
const store = await openRocksStore({
  directory: join(directory, 'state'),
  partitionCount: PARTITIONS,
  outputTopics,
});
const events = await openSegmentLog({
  directory: join(directory, 'log'),
  name: 'user-events',
  partitionCount: PARTITIONS,
  fsync: 'always',
  clock,
});
const history = await openEmbeddedHistory({ directory: join(directory, 'history') });
const live = openProcessLive({
  clock,
  ttlMs: definition.gapMs + definition.tiersMs[0]!,
  maxUsers: 1_000_000,
  decode: (userId, bytes, partition) =>
    decodeLive(definition, { logId: events.logId, partition }, userId, bytes),
});
const analytics = startSessionAnalytics({
  topic: store.topic('sessions'),
  history,
  clock,
  logger: createLogger('warn'),
  metrics: createMetrics(),
  retainSessionsMs: 30 * DAY_MS,
  release: (offsets) => store.releaseOutputs('sessions', offsets),
});
analytics.assign(Array.from({ length: events.partitionCount }, (_, partition) => partition));
const processor = await SessionProcessor.open({
  definition,
  input: events,
  store,
  live,
  clock,
  commitIntervalMs: 100,
  memoryUsers: 200_000,
});
const running = processor.start();
running.catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

const batches = makeBatches();
const startCpu = process.cpuUsage();
const start = performance.now();
let writing: Promise<unknown>[] = [];
for (const batch of batches) {
  writing.push(events.append(recordsOf(batch)));
  if (writing.length < 4) continue;
  await writing[0];
  writing = writing.slice(1);
}
await Promise.all(writing);
report('appended', EVENTS);
for (let partition = 0; partition < PARTITIONS; partition++) {
  const last = events.endOffset(partition) - 1;
  if (last >= 0) await processor.waitVisible(partition, last, 600_000);
}
report('processed and committed', EVENTS);
await analytics.waitApplied();
report('in history', EVENTS);
const { totalSessions } = await history.stats(0, Date.now() + DAY_MS);
console.log(`${totalSessions} sessions in history, resident ${mb(process.memoryUsage().rss)} MB`);
await processor.close();
await analytics.close();
await history.close();
await live.close();
await events.close();
await store.close();
rmSync(directory, { recursive: true, force: true });

function report(what: string, count: number): void {
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(startCpu);
  console.log(
    `${what.padEnd(24)} ${Math.round(count / seconds)} events/s, ` +
      `${((user + system) / count).toFixed(1)} µs CPU an event`,
  );
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

/** A batch as bytes: few objects, so that what waits costs the collector nothing. */
interface Packed {
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  readonly users: Uint32Array;
}

function recordsOf({ bytes, ends, users }: Packed): NewRecord[] {
  return Array.from(ends, (end, index) => {
    const key = userIds[users[index]!]!;
    const value = bytes.subarray(index === 0 ? 0 : ends[index - 1], end);
    return { partition: partitions[users[index]!]!, key, value };
  });
}

/** All events, made before the clock runs: 5 % out of order by up to four minutes. */
function makeBatches(): Packed[] {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const types = ['PAGE_VIEW', 'PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'SEARCH', 'ADD_TO_CART'];
  const startMs = Date.now() - DAY_MS;
  const made: Packed[] = [];
  for (let first = 0; first < EVENTS; first += BATCH) {
    const count = Math.min(BATCH, EVENTS - first);
    const ends = new Uint32Array(count);
    const users = new Uint32Array(count);
    let text = '';
    for (let index = 0; index < count; index++) {
      users[index] = Math.floor(random() ** 2 * USERS);
      const late = random() < 0.05 ? random() * 240_000 : 0;
      text += JSON.stringify({
        eventId: `event-${first + index}-0123456789`,
        userId: userIds[users[index]!],
        eventType: types[Math.floor(random() * types.length)],
        timestamp: isoTime(Math.floor(startMs + (first + index) * STEP_MS - late)),
        page: `/products/${Math.floor(random() * 200)}`,
        referrer: 'https://www.example.com/',
        device: 'mobile',
        amount: 59.9,
        currency: 'EUR',
      });
      ends[index] = text.length;
    }
    made.push({ bytes: Buffer.from(text, 'latin1'), ends, users });
  }
  return made;
}
