/**
 * What live sessions on Redis cost: publishing, reading beside a bare GET in the same run, lists.
 * Takes REDIS_URL, or starts a Redis of its own.
 */
import { createClient, RESP_TYPES } from 'redis';
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import type { LiveFilter } from '../src/live/live.ts';
import { openRedisLive } from '../src/live/redis-live.ts';
import { systemClock } from '../src/ops/clock.ts';
import { decodeLive } from '../src/services/session-processor/state-reader.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { liveUsers } from './live-users.ts';

const USERS = 50_000;
const COMMIT_USERS = 20_000;
const READS = 20_000;
const START_MS = Date.now();
const root = `bench-${START_MS}`;

const server = process.env['REDIS_URL'] === undefined ? await startRedis() : null;
const url = process.env['REDIS_URL'] ?? server!.url;
const identity = { logId: root, partition: 0 };
const updates = liveUsers(root, USERS, START_MS);
const options = {
  url,
  logId: root,
  partitionCount: 64,
  ttlMs: 35 * 60_000,
  clock: systemClock,
  decode: (userId: string, bytes: Uint8Array) =>
    decodeLive(DEFAULT_DEFINITION, identity, userId, bytes),
};
const live = await openRedisLive(options);
const gateway = await openRedisLive(options);
const bare = createClient({
  url,
  commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
});
await bare.connect();

let position = 0;
await live.refill(0, ++position, (async function* () {})());
const bytes = updates.reduce((sum, { session }) => sum + session.length, 0) / USERS;
console.log(`${USERS} users, records of ${Math.round(bytes)} bytes`);

await publishAll('publish, new users');
await publishAll('publish, known users');
const stop = gateway.onChange(() => {});
await publishAll('publish, with a subscriber');
stop();
const memory = Number(/used_memory:(\d+)/.exec((await bare.info('memory')).toString())?.[1]);
console.log(`memory of Redis: ${Math.round(memory / USERS)} bytes a user`);

const keyOf = (n: number) => `lull:1:${root}:user:user-${n % USERS}`;
for (const round of [1, 2]) {
  const plain = await latency(`bare GET (${round})`, (n) => bare.get(keyOf(n)));
  const redis = await latency(`get from Redis (${round})`, (n) => gateway.get(userOf(n), true));
  const process = await latency(`get from the process (${round})`, () => gateway.get('user-7'));
  const ratio = (one: number, other: number) => (one / other).toFixed(2);
  console.log(`  p50 to bare: Redis ${ratio(redis, plain)}, process ${ratio(process, plain)}`);
}
for (const round of [1, 2]) {
  const plain = await throughput(`bare GET, 64 at a time (${round})`, (n) => bare.get(keyOf(n)));
  const redis = await throughput(`get, 64 at a time (${round})`, (n) =>
    gateway.get(userOf(n), true),
  );
  console.log(`  CPU to bare: ${(redis / plain).toFixed(2)}`);
}

const list = (filter: LiveFilter, cursor: string | null) => () => gateway.list(filter, 50, cursor);
await latency('list', list({}, null), 500);
const deep = await deepCursor();
await latency('list, a page in the middle', list({}, deep), 500);
await latency('list, one in three fits', list({ device: 'mobile', minEvents: 12 }, null), 200);
await latency('list in which nothing fits', list({ hasConversion: true }, null), 10);
await latency('size', () => gateway.size(), 200);

await Promise.all([live.close(), gateway.close(), bare.close()]);
await server?.dispose();

function userOf(n: number): string {
  return `user-${n % USERS}`;
}

/** Commits of many users, one after the other, as a processor in a backlog publishes them. */
async function publishAll(label: string): Promise<void> {
  const [startMs, before] = [performance.now(), process.cpuUsage()];
  const redisBefore = await redisCpuMs();
  let longestMs = 0;
  const watch = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - seenMs);
    seenMs = performance.now();
  }, 1);
  let seenMs = performance.now();
  for (let at = 0; at < USERS; at += COMMIT_USERS) {
    await live.publish(0, ++position, updates.slice(at, at + COMMIT_USERS));
  }
  clearInterval(watch);
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  const redisMs = (await redisCpuMs()) - redisBefore;
  console.log(
    `${label}: ${Math.round(USERS / seconds)} users/s, ` +
      `${((user + system) / USERS).toFixed(1)} µs CPU a user here, ` +
      `${((redisMs * 1000) / USERS).toFixed(1)} in Redis; ` +
      `longest turn of this loop ${longestMs.toFixed(0)} ms`,
  );
}

async function redisCpuMs(): Promise<number> {
  const info = (await bare.info('cpu')).toString();
  const seconds = ['user', 'sys'].map((kind) =>
    Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(info)?.[1]),
  );
  return (seconds[0]! + seconds[1]!) * 1000;
}

async function latency(
  label: string,
  ask: (n: number) => Promise<unknown>,
  count = READS,
): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const startMs = performance.now();
    await ask(n * 7);
    times.push(performance.now() - startMs);
  }
  times.sort((one, other) => one - other);
  const at = (share: number) => times[Math.floor(times.length * share)]!;
  console.log(`${label}: p50 ${at(0.5).toFixed(3)} ms, p99 ${at(0.99).toFixed(3)} ms`);
  return at(0.5);
}

/** Returns microseconds of CPU a read. */
async function throughput(label: string, ask: (n: number) => Promise<unknown>): Promise<number> {
  const [startMs, before] = [performance.now(), process.cpuUsage()];
  for (let n = 0; n < READS; n += 64) {
    await Promise.all(Array.from({ length: 64 }, (_, index) => ask((n + index) * 7)));
  }
  const { user, system } = process.cpuUsage(before);
  const perSecond = Math.round((READS / (performance.now() - startMs)) * 1000);
  console.log(`${label}: ${perSecond}/s, ${((user + system) / READS).toFixed(1)} µs CPU each`);
  return user + system;
}

async function deepCursor(): Promise<string | null> {
  let cursor: string | null = null;
  for (let page = 0; page < 50; page++) {
    cursor = (await gateway.list({}, 500, cursor)).nextCursor;
  }
  return cursor;
}
