/** The event-producer on a real log and a virtual clock: back-fill, real time, restarts, stalls. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { partitionOf } from '../../core/hash.ts';
import { LullError } from '../../errors.ts';
import type { Topic } from '../../log/log.ts';
import { openSegmentLog, type SegmentLog } from '../../log/segment-log.ts';
import type { Clock } from '../../ops/clock.ts';
import {
  type EventProducer,
  type EventProducerOptions,
  startEventProducer,
} from './event-producer.ts';
import { DEFAULT_LOAD } from './load.ts';

const START_MS = Date.UTC(2026, 10, 23, 10);
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Time passes only by sleeping, up to a limit at which sleepers stay asleep. */
class VirtualClock implements Clock {
  #nowMs: number;
  #untilMs: number;
  #onReached: (() => void) | null = null;

  constructor(startMs: number) {
    this.#nowMs = startMs;
    this.#untilMs = startMs;
  }

  nowMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    await nextTurn();
    while (this.#nowMs >= this.#untilMs && !signal?.aborted) {
      this.#onReached?.();
      await nextTurn();
    }
    if (!signal?.aborted) this.#nowMs += durationMs;
  }

  /** Lets time pass, and resolves when it has and everybody sleeps. */
  pass(durationMs: number): Promise<void> {
    this.#untilMs = this.#nowMs + durationMs;
    return new Promise((resolve) => {
      this.#onReached = resolve;
    });
  }

  /** As when the machine was asleep, or busy: nobody got a turn. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#untilMs = this.#nowMs;
  }
}

let directory: string;
let topic: SegmentLog;
let clock: VirtualClock;
let started: EventProducer[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lull-producer-'));
  clock = new VirtualClock(START_MS);
  topic = await openSegmentLog({
    directory,
    name: 'user-events',
    partitionCount: 4,
    fsync: 'never',
    clock,
  });
});

afterEach(async () => {
  await Promise.all(started.map((producer) => producer.stop()));
  started = [];
  await topic.close();
  await rm(directory, { recursive: true });
});

function start(options: Partial<EventProducerOptions> = {}): EventProducer {
  const producer = startEventProducer({ topic, clock, seed: 1, backfillMs: 0, ...options });
  started.push(producer);
  return producer;
}

interface Written {
  readonly eventId: string;
  readonly userId: string;
  readonly timeMs: number;
  readonly arrivalMs: number;
}

async function written(): Promise<Written[]> {
  const events: Written[] = [];
  for (let partition = 0; partition < topic.partitionCount; partition++) {
    for (let offset = 0; offset < topic.endOffset(partition); ) {
      for (const record of await topic.read(partition, offset, 1 << 20)) {
        const { eventId, userId, timestamp } = JSON.parse(Buffer.from(record.value).toString());
        assert.equal(record.key, userId);
        assert.equal(partition, partitionOf(userId, topic.partitionCount));
        const timeMs = Date.parse(timestamp);
        events.push({ eventId, userId, timeMs, arrivalMs: record.arrivalMs });
        offset = record.offset + 1;
      }
    }
  }
  return events;
}

const within = (events: readonly Written[], fromMs: number, toMs: number) =>
  events.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs);

test('a new log is filled up to now, then events come in real time', async () => {
  const progress: number[] = [];
  const producer = start({
    backfillMs: 8 * HOUR_MS,
    onBackfill: ({ doneMs, totalMs }) => progress.push(doneMs / totalMs),
  });
  const backfilled = await producer.backfilled;
  const past = await written();
  assert.equal(past.length, backfilled);
  assert.ok(past.every(({ timeMs }) => timeMs >= START_MS - 8 * HOUR_MS && timeMs < START_MS));
  assert.ok(Math.abs(backfilled / (8 * 3600) / DEFAULT_LOAD.eventsPerSecond - 1) < 0.02);
  assert.equal(progress.at(-1), 1);
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  );

  await clock.pass(10 * MINUTE_MS);
  await producer.stop();
  const live = (await written()).length - backfilled;
  assert.deepEqual(producer.counts(), { sent: live, backfilled });
  assert.ok(Math.abs(live / 600 / DEFAULT_LOAD.eventsPerSecond - 1) < 0.15, `${live} events`);
});

test('each hour of the back-fill has its events', async () => {
  const producer = start({ backfillMs: 6 * HOUR_MS });
  await producer.backfilled;
  await producer.stop();
  const events = await written();
  for (let hour = 1; hour <= 6; hour++) {
    const own = within(events, START_MS - hour * HOUR_MS, START_MS - (hour - 1) * HOUR_MS);
    assert.ok(Math.abs(own.length / 3600 / DEFAULT_LOAD.eventsPerSecond - 1) < 0.1, `hour ${hour}`);
  }
});

test('a high load makes the present busy, not the past', async () => {
  const producer = start({ backfillMs: HOUR_MS, users: 50, rate: 500 });
  assert.ok((await producer.backfilled) < 5 * 3600);
  await clock.pass(MINUTE_MS);
  await producer.stop();
  assert.ok(Math.abs(producer.counts().sent / 60 / 500 - 1) < 0.05);
});

test('a second start goes on now: what lies between is a lull', async () => {
  const first = start({ backfillMs: HOUR_MS });
  await clock.pass(5 * MINUTE_MS);
  await first.stop();
  const before = (await written()).length;
  const stoppedMs = clock.nowMs();
  clock.jump(20 * MINUTE_MS);
  const restartMs = clock.nowMs();
  const second = start({ backfillMs: HOUR_MS });
  assert.equal(await second.backfilled, 0);
  await clock.pass(5 * MINUTE_MS);
  await second.stop();

  const after = await written();
  assert.deepEqual(within(after, stoppedMs, restartMs), []);
  const fresh = within(after, restartMs, Infinity);
  assert.ok(fresh.length > 500);
  assert.ok(after.length > before);
  assertIdsOfOneEvent(after);
  assert.ok(fresh.some(({ userId, timeMs }) => userId === 'user-1' && timeMs < restartMs + 100));
});

test('a back-fill that was cut off goes on where it was', async () => {
  const first = start({
    backfillMs: 6 * HOUR_MS,
    onBackfill: ({ doneMs }) => {
      if (doneMs > 2 * HOUR_MS) void first.stop();
    },
  });
  await first.ended;
  const before = await written();
  const reachedMs = Math.max(...before.map(({ timeMs }) => timeMs));
  assert.ok(reachedMs < START_MS - HOUR_MS, new Date(reachedMs).toISOString());
  clock.jump(MINUTE_MS);

  const second = start({ backfillMs: 6 * HOUR_MS });
  assert.ok((await second.backfilled) > 0);
  await second.stop();
  const after = await written();
  assertIdsOfOneEvent(after);
  for (let ms = START_MS - 6 * HOUR_MS; ms < START_MS; ms += 10 * MINUTE_MS) {
    const own = within(after, ms, ms + 10 * MINUTE_MS);
    assert.ok(
      Math.abs(own.length / 600 / DEFAULT_LOAD.eventsPerSecond - 1) < 0.25,
      `${own.length}`,
    );
  }
});

function assertIdsOfOneEvent(events: readonly Written[]): void {
  const ids = new Set(events.map(({ eventId }) => eventId));
  const whole = new Set(events.map(({ eventId, userId, timeMs }) => eventId + userId + timeMs));
  assert.equal(ids.size, whole.size);
}

test("a log that holds others' events is not filled", async () => {
  const value = Buffer.from('{"eventId":"e-1","userId":"a","eventType":"CLICK","timestamp":1}');
  await topic.append([{ partition: 2, key: 'a', value }]);
  const producer = start({ backfillMs: HOUR_MS });
  assert.equal(await producer.backfilled, 0);
  await producer.stop();
});

for (const request of [{ rate: 500 }, { users: 50, rate: 500 }]) {
  test(`${JSON.stringify(request)}: 500 a second are held within 5 %`, async () => {
    const producer = start(request);
    for (let slice = 0; slice < 6; slice++) {
      const before = producer.counts().sent;
      await clock.pass(20 * SECOND_MS);
      const rate = (producer.counts().sent - before) / 20;
      assert.ok(Math.abs(rate / 500 - 1) < 0.05, `slice ${slice}: ${rate}`);
    }
    await producer.stop();
  });
}

test('after a short stall it catches up, at no more than twice the pace', async () => {
  const producer = start({ rate: 500 });
  await clock.pass(30 * SECOND_MS);
  const before = producer.counts().sent;
  clock.jump(5 * SECOND_MS);
  let last = before;
  const perSecond: number[] = [];
  for (let second = 0; second < 15; second++) {
    await clock.pass(SECOND_MS);
    perSecond.push(producer.counts().sent - last);
    last = producer.counts().sent;
  }
  await producer.stop();
  assert.ok(Math.max(...perSecond) < 2 * 500 * 1.6, `${perSecond}`);
  assert.ok(Math.abs((last - before) / 20 / 500 - 1) < 0.05, `${last - before}`);
});

test('a long stall is a lull: nothing is made up for', async () => {
  const producer = start({ rate: 100 });
  await clock.pass(30 * SECOND_MS);
  const stalledMs = clock.nowMs();
  clock.jump(HOUR_MS);
  const wokenMs = clock.nowMs();
  await clock.pass(30 * SECOND_MS);
  await producer.stop();
  const events = await written();
  assert.deepEqual(within(events, stalledMs, wokenMs - 1), []);
  assert.ok(within(events, wokenMs, Infinity).length > 2500);
});

test("the rate can be changed while it runs; what can't work is refused", async () => {
  const producer = start({ users: 50 });
  assert.deepEqual(producer.rate(), DEFAULT_LOAD);
  await clock.pass(10 * SECOND_MS);
  assert.deepEqual(producer.setRate(500), { shoppers: 50, eventsPerSecond: 500 });
  const before = producer.counts().sent;
  await clock.pass(MINUTE_MS);
  assert.ok(Math.abs((producer.counts().sent - before) / 60 / 500 - 1) < 0.05);
  assert.throws(() => producer.setRate(50_000), { code: 'invalid_parameter' });
  assert.equal(producer.rate().eventsPerSecond, 500);
  await producer.stop();
});

test("a load that can't work is refused at the start", () => {
  assert.throws(() => start({ users: 1, rate: 500 }), { code: 'wrong_usage' });
});

test('a full log is waited for, and nothing is lost', async () => {
  let refusals = 3;
  const full: Topic = Object.assign(Object.create(topic) as SegmentLog, {
    partitionCount: topic.partitionCount,
    endOffset: (partition: number) => topic.endOffset(partition),
    append: (records: Parameters<Topic['append']>[0]) =>
      refusals-- > 0
        ? Promise.reject(new LullError('log_full', 'the log is full'))
        : topic.append(records),
  });
  const producer = start({ topic: full, rate: 500 });
  await clock.pass(100);
  assert.equal(producer.problem(), 'the log is full');
  await clock.pass(20 * SECOND_MS);
  assert.equal(producer.problem(), null);
  await producer.stop();
  assert.equal((await written()).length, producer.counts().sent);
  assert.ok(Math.abs(producer.counts().sent / 20 / 500 - 1) < 0.05);
});

test('a log that has failed ends it, with the reason', async () => {
  const producer = start();
  await clock.pass(SECOND_MS);
  await topic.close();
  await assert.rejects(Promise.all([producer.ended, clock.pass(MINUTE_MS)]), {
    code: 'log_closed',
  });
  assert.notEqual(producer.problem(), null);
  await producer.stop();
});
