/** The way from the `sessions` topic into history: restarts, lost logs, outages, bad records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closed, merged, TIME_0_MS } from '../../../test/support/history-records.ts';
import { MemoryHistory } from '../../../test/support/memory-history.ts';
import { MemoryTopic } from '../../../test/support/memory-topic.ts';
import { partitionOf } from '../../core/hash.ts';
import type { SentRecord, SessionRecord } from '../../core/output.ts';
import { LullError } from '../../errors.ts';
import type { HistoryPosition } from '../../history/history.ts';
import type { Clock } from '../../ops/clock.ts';
import { createLogger } from '../../ops/logger.ts';
import { createMetrics } from '../../ops/metrics.ts';
import {
  type SessionAnalytics,
  type SessionAnalyticsOptions,
  startSessionAnalytics,
} from './session-analytics.ts';

const PARTITIONS = 3;
const HOUR_MS = 3_600_000;

/** Time goes on only when it is told to. */
class SteppedClock implements Clock {
  #nowMs = TIME_0_MS;
  readonly #sleepers = new Set<{ untilMs: number; wake: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - TIME_0_MS;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        untilMs: this.#nowMs + durationMs,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      if (durationMs <= 0 || signal?.aborted) return resolve();
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Steps of 100 ms, letting everything that wakes do its work in between. */
  async advance(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
      this.#nowMs += 100;
      for (const { untilMs, wake } of [...this.#sleepers]) if (untilMs <= this.#nowMs) wake();
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Notes what it is given, and fails on demand. */
class WatchedHistory extends MemoryHistory {
  readonly batches: (readonly SentRecord[])[] = [];
  failing = false;
  expiries = 0;

  override async positions(): Promise<HistoryPosition[]> {
    this.#check();
    return super.positions();
  }

  override async apply(
    records: readonly SentRecord[],
    positions: readonly HistoryPosition[],
  ): Promise<void> {
    this.#check();
    this.batches.push(records);
    await super.apply(records, positions);
  }

  override async expire(beforeMs: number, limit: number): Promise<number> {
    this.expiries++;
    return super.expire(beforeMs, limit);
  }

  #check(): void {
    if (this.failing) throw new LullError('history_unavailable', 'the disk is on fire');
  }
}

function setUp(parts: Partial<SessionAnalyticsOptions> = {}) {
  const clock = new SteppedClock();
  const topic = new MemoryTopic({
    name: 'sessions',
    logId: 'log-1',
    partitionCount: PARTITIONS,
    clock,
  });
  const history = new WatchedHistory();
  const metrics = createMetrics();
  const logged: { msg: string; level: string }[] = [];
  const released: number[][] = [];
  const logger = createLogger('info', { write: (line) => logged.push(JSON.parse(line)) });
  const options: SessionAnalyticsOptions = {
    topic,
    history,
    clock,
    logger,
    metrics,
    retainSessionsMs: 24 * HOUR_MS,
    release: async (offsets) => void released.push([...offsets]),
    ...parts,
  };
  return { ...options, clock, topic, history, metrics, logged, released };
}

/** As the embedded mode does. */
function startOnAll(options: SessionAnalyticsOptions): SessionAnalytics {
  const analytics = startSessionAnalytics(options);
  analytics.assign([0, 1, 2]);
  return analytics;
}

const send = (topic: MemoryTopic, ...records: (SentRecord | string)[]) =>
  topic.append(
    records.map((record) => {
      const key = typeof record === 'string' ? 'user' : record.userId;
      const value = Buffer.from(typeof record === 'string' ? record : JSON.stringify(record));
      return { partition: partitionOf(key, PARTITIONS), key, value };
    }),
  );

const numbered = (count: number, parts: Partial<SessionRecord> = {}) =>
  Array.from({ length: count }, (_, n) => closed(`s${n}`, 1, { userId: `user-${n}`, ...parts }));

const ids = (history: MemoryHistory) =>
  history
    .closed()
    .map(({ sessionId }) => sessionId)
    .sort();

test('brings what is there and what comes into history, and lets go of it in the topic', async () => {
  const { topic, history, released, clock, ...options } = setUp();
  await send(topic, ...numbered(20));
  const analytics = startOnAll({ ...options, topic, history, clock });
  assert.equal(analytics.caughtUp(), false);
  await analytics.waitApplied();
  assert.equal(analytics.caughtUp(), true);
  assert.equal(history.closed().length, 20);
  await send(topic, merged('s1', 's2', 2), closed('s2', 3));
  assert.equal(analytics.caughtUp(), false);
  await analytics.waitApplied();
  assert.equal(await history.survivorOf('s1'), 's2');
  await analytics.close();
  const ends = [0, 1, 2].map((partition) => topic.endOffset(partition));
  assert.deepEqual(released.at(-1), ends);
  const positions = (await history.positions()).map(({ nextOffset }) => nextOffset);
  assert.deepEqual(positions.sort(), ends.sort());
  assert.deepEqual(analytics.health(), {
    name: 'session-analytics',
    status: 'ok',
    reason: null,
  });
});

test('the topic is made durable before history learns of it, and released only after', async () => {
  const { history, topic, ...options } = setUp();
  const steps: string[] = [];
  const apply = history.apply.bind(history);
  history.apply = async (...given) => {
    steps.push('apply');
    await apply(...given);
  };
  await send(topic, closed('s', 1));
  const analytics = startOnAll({
    ...options,
    topic,
    history,
    sync: async () => void steps.push('sync'),
    release: async () => void steps.push('release'),
  });
  await analytics.waitApplied();
  await analytics.close();
  assert.deepEqual(steps, ['sync', 'apply', 'release']);
});

test('a restart goes on where history stands', async () => {
  const { history, topic, ...options } = setUp();
  await send(topic, ...numbered(10));
  const first = startOnAll({ ...options, topic, history });
  await first.waitApplied();
  await first.close();
  await send(topic, closed('new', 1));
  assert.equal(first.caughtUp(), false, 'a closed one takes nothing more');
  history.batches.length = 0;
  const second = startOnAll({ ...options, topic, history });
  await second.waitApplied();
  await second.close();
  assert.deepEqual(
    history.batches.flat().map(({ sessionId }) => sessionId),
    ['new'],
  );
  assert.equal(history.closed().length, 11);
});

for (const [what, logId, nextOffset] of [
  ['of another log', 'log-0', 3],
  ['past the end of the log', 'log-1', 999],
] as const) {
  test(`a position ${what} starts again from the oldest record`, async () => {
    const { history, topic, ...options } = setUp();
    const records = numbered(12);
    await history.apply(
      records.slice(0, 4),
      [0, 1, 2].map((partition) => ({ logId, partition, nextOffset })),
    );
    await send(topic, ...records);
    const positionsNow = history.positions.bind(history);
    const positions = await positionsNow();
    let answer: () => void = () => {};
    history.positions = () => new Promise((resolve) => (answer = () => resolve(positions)));
    const analytics = startOnAll({ ...options, topic, history });
    // What is appended after the start must not make a lost position look like a good one.
    await send(topic, ...numbered(6000).map((one) => ({ ...one, sessionId: `x${one.sessionId}` })));
    answer();
    await analytics.waitApplied();
    await analytics.close();
    for (const { sessionId } of records) assert.ok(await history.session(sessionId), sessionId);
    const stored = (await positionsNow()).filter((one) => one.logId === topic.logId);
    for (const one of stored) assert.equal(one.nextOffset, topic.endOffset(one.partition));
    assert.equal(stored.length, PARTITIONS);
  });
}

test('records that are no sessions are counted, said once a batch, and skipped', async () => {
  const { topic, history, metrics, logged, ...options } = setUp();
  await send(topic, 'no json', closed('a', 1), '{"sessionId":"x"}', closed('b', 1));
  const analytics = startOnAll({ ...options, topic, history, metrics });
  await analytics.waitApplied();
  await analytics.close();
  assert.deepEqual(ids(history), ['a', 'b']);
  const text = await metrics.text();
  assert.match(text, /^lull_history_unreadable_records_total 2$/m);
  assert.match(text, /^lull_history_records_total\{state="closed"\} 2$/m);
  assert.match(text, /^lull_history_behind_records 0$/m);
  assert.match(text, /^session_duration_seconds_count 2$/m);
  assert.equal(logged.filter(({ level }) => level === 'warn').length, 1);
});

test('an outage is waited out: said once, then once a minute, and caught up after it', async () => {
  const { topic, history, clock, logged, ...options } = setUp();
  history.failing = true;
  await send(topic, ...numbered(5));
  const analytics = startOnAll({ ...options, topic, history, clock });
  await clock.advance(1000);
  assert.equal(logged.length, 1);
  const { status, reason } = analytics.health();
  assert.equal(status, 'degraded');
  assert.equal(reason, 'the disk is on fire; 5 records wait');
  await clock.advance(130_000);
  assert.equal(logged.length, 3);
  assert.equal(analytics.caughtUp(), false);
  history.failing = false;
  const applied = analytics.waitApplied();
  await clock.advance(10_000);
  await applied;
  assert.equal(history.closed().length, 5);
  assert.equal(analytics.health().status, 'ok');
  history.failing = true;
  await send(topic, ...numbered(9));
  await clock.advance(1000);
  assert.equal(logged.filter(({ level }) => level === 'error').length, 4, 'a new outage is said');
  await analytics.close();
});

test('a hole at the end of the log is passed over', async () => {
  const { topic, history, ...options } = setUp();
  await send(topic, closed('s', 1));
  const partition = partitionOf('user', PARTITIONS);
  const endOffset = topic.endOffset.bind(topic);
  topic.endOffset = (one) => endOffset(one) + (one === partition ? 2 : 0);
  const analytics = startOnAll({ ...options, topic, history });
  await analytics.waitApplied();
  assert.equal(analytics.caughtUp(), true);
  await analytics.close();
  assert.deepEqual(ids(history), ['s']);
});

test('what could not be written is read and written again', async () => {
  const { topic, history, clock, metrics, ...options } = setUp();
  const apply = history.apply.bind(history);
  let calls = 0;
  history.apply = async (...given) => {
    if (++calls % 2 === 0) throw new LullError('history_unavailable', 'not now');
    await apply(...given);
  };
  const page = '/'.padEnd(2000, 'x');
  await send(topic, ...numbered(6000, { entryPage: page }), 'no json');
  const analytics = startOnAll({ ...options, topic, history, clock, metrics });
  const applied = analytics.waitApplied();
  await clock.advance(2000);
  await applied;
  await analytics.close();
  assert.equal(history.closed().length, 6000);
  const text = await metrics.text();
  assert.match(text, /^lull_history_unreadable_records_total 1$/m);
  assert.match(text, /^lull_history_records_total\{state="closed"\} 6000$/m);
});

test('batches are bounded, and each partition has its turn', async () => {
  const { topic, history, ...options } = setUp();
  const page = '/'.padEnd(1000, 'x');
  const long = { entryPage: page, exitPage: page, referrer: page };
  await send(topic, ...Array.from({ length: 6000 }, (_, n) => closed(`b${n}`, 1, long)));
  await send(topic, ...numbered(30));
  const analytics = startOnAll({ ...options, topic, history });
  await analytics.waitApplied();
  await analytics.close();
  const sizes = history.batches.map((batch) => JSON.stringify(batch).length);
  assert.ok(Math.max(...sizes) < 2.2 * 1024 * 1024, `${Math.max(...sizes)}`);
  const busy = partitionOf('user', PARTITIONS);
  const others = history.batches
    .slice(0, 4)
    .flat()
    .filter(({ userId }) => partitionOf(userId, PARTITIONS) !== busy);
  const sent = numbered(30).filter(({ userId }) => partitionOf(userId, PARTITIONS) !== busy);
  assert.ok(sent.length > 0);
  assert.equal(others.length, sent.length, 'the others do not wait for the long one');
});

test('a trickle is gathered', async () => {
  const { topic, history, clock, ...options } = setUp();
  const analytics = startOnAll({ ...options, topic, history, clock });
  await analytics.waitApplied();
  await clock.advance(1000);
  for (let n = 0; n < 20; n++) {
    await send(topic, closed(`s${n}`, 1));
    await clock.advance(100);
  }
  await clock.advance(1000);
  assert.equal(history.closed().length, 20);
  assert.ok(history.batches.length <= 11, `${history.batches.length} batches`);
  await analytics.close();
});

test('what is too old goes, in steps, and again each minute', async () => {
  const { topic, history, clock, ...options } = setUp();
  const endTime = new Date(TIME_0_MS - 24 * HOUR_MS - 1).toISOString();
  const just = new Date(TIME_0_MS - 24 * HOUR_MS + 30_000).toISOString();
  await history.apply(numbered(2500, { endTime }), []);
  await history.apply([closed('just', 1, { endTime: just }), closed('new', 1)], []);
  const analytics = startOnAll({ ...options, topic, history, clock });
  await clock.advance(1000);
  assert.deepEqual(ids(history), ['just', 'new']);
  assert.equal(history.expiries, 3);
  await clock.advance(61_000);
  assert.deepEqual(ids(history), ['new']);
  await analytics.close();
});

test('close ends every wait', async () => {
  const { topic, history, ...options } = setUp();
  history.failing = true;
  await send(topic, closed('s', 1));
  const analytics = startOnAll({ ...options, topic, history });
  const waiting = analytics.waitApplied();
  await analytics.close();
  await waiting;
  await analytics.waitApplied();
  assert.equal(history.batches.length, 0);
});

test('only what is assigned is read, and others are taken up where history stands', async () => {
  const { topic, history, ...options } = setUp();
  await send(topic, ...numbered(30));
  const partOf = ({ userId }: SentRecord) => partitionOf(userId, PARTITIONS);
  const first = startSessionAnalytics({ ...options, topic, history });
  const waiting = first.waitApplied();
  assert.equal(first.caughtUp(), false, 'nothing is assigned yet');
  first.assign([0, 2]);
  await waiting;
  assert.equal(first.caughtUp(), true);
  assert.deepEqual(new Set(history.closed().map(partOf)), new Set([0, 2]));
  const second = startSessionAnalytics({ ...options, topic, history });
  second.assign([1]);
  await second.waitApplied();
  assert.equal(history.closed().length, 30);
  first.assign([0]);
  second.assign([2, 1]);
  history.batches.length = 0;
  await send(topic, ...numbered(60));
  await Promise.all([first.waitApplied(), second.waitApplied()]);
  assert.equal(history.closed().length, 60);
  const applied = history.batches.flat().map(({ sessionId }) => sessionId);
  assert.equal(new Set(applied).size, applied.length, 'nothing is read twice');
  first.assign([]);
  await first.waitApplied();
  assert.equal(first.caughtUp(), true);
  await Promise.all([first.close(), second.close()]);
});

test('a batch whose partitions were taken away while it was read is not applied', async () => {
  const { topic, history, ...options } = setUp();
  await send(topic, ...numbered(30));
  const reading = Promise.withResolvers<void>();
  const read = topic.read.bind(topic);
  let calls = 0;
  topic.read = async (...given) => {
    if (++calls > 1) return read(...given);
    reading.resolve();
    return new Promise(() => {});
  };
  const analytics = startSessionAnalytics({ ...options, topic, history });
  analytics.assign([0]);
  await reading.promise;
  analytics.assign([]);
  await analytics.waitApplied();
  assert.deepEqual(await history.positions(), []);
  analytics.assign([1]);
  await analytics.waitApplied();
  assert.deepEqual(
    (await history.positions()).map(({ partition }) => partition),
    [1],
  );
  await analytics.close();
});

test('old sessions are deleted by who has partition 0 only', async () => {
  const { topic, history, clock, ...options } = setUp();
  const endTime = new Date(TIME_0_MS - 25 * HOUR_MS).toISOString();
  await history.apply([closed('old', 1, { endTime })], []);
  const analytics = startSessionAnalytics({ ...options, topic, history, clock });
  analytics.assign([1, 2]);
  await clock.advance(130_000);
  assert.equal(history.expiries, 0);
  analytics.assign([0]);
  await clock.advance(1000);
  assert.deepEqual(ids(history), []);
  await analytics.close();
});

test('what waits before anything is assigned waits for all of it', async () => {
  const { topic, history, ...options } = setUp();
  await send(topic, ...numbered(6000, { entryPage: '/'.padEnd(2000, 'x') }));
  const analytics = startSessionAnalytics({ ...options, topic, history });
  const waiting = analytics.waitApplied();
  analytics.assign([0, 1, 2]);
  assert.equal(analytics.caughtUp(), false);
  await waiting;
  assert.equal(history.closed().length, 6000);
  await analytics.close();
});

test('a topic that knows its ends late is asked for them before it is called short', async () => {
  const { topic, history, clock, ...options } = setUp();
  await send(topic, ...numbered(12));
  const ends = [0, 1, 2].map((partition) => topic.endOffset(partition));
  const stored = ends.map((nextOffset, partition) => {
    return { logId: topic.logId, partition, nextOffset };
  });
  await history.apply(numbered(12), stored);
  const endOffset = topic.endOffset.bind(topic);
  let looks = 0;
  topic.endOffset = (partition) => (looks < 3 ? 0 : endOffset(partition));
  const late = Object.assign(topic, {
    refreshEnds: async () => {
      looks++;
    },
  });
  history.batches.length = 0;
  const analytics = startOnAll({ ...options, topic: late, history, clock });
  const waiting = analytics.waitApplied();
  await clock.advance(1000);
  await waiting;
  assert.equal(looks, 3);
  assert.deepEqual(history.batches, [], 'nothing is read again');
  await analytics.close();
});
