/** The distributed system on real servers: the journey, and services that come and go. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { SessionRecord } from '../../src/core/output.ts';
import {
  eventually,
  get,
  MAIN,
  makeFolder,
  post,
  type RunningSystem,
  startServices,
  untilReady,
} from '../support/running-system.ts';
import {
  type SharedServers,
  startSharedServers,
  unlessSharedServers,
} from '../support/server-trio.ts';
import { journey } from './journey.ts';

const skip = unlessSharedServers();
const bound = { timeout: 600_000 };
const ALL = ['api-gateway', 'session-processor', 'session-analytics'];
const BACKFILL_HOURS = 3;

suite('on Kafka, Redis and PostgreSQL', { skip, ...bound }, () => {
  let servers: SharedServers;
  const folder = makeFolder('distributed');
  before(async () => {
    servers = await startSharedServers();
  }, bound);
  after(async () => {
    await servers?.stop();
    folder.remove();
  });

  journey('all services in one process', {
    start: () =>
      startServices(
        { ...servers.environment, LULL_PREFIX: 'journey-' },
        ...[...ALL, 'event-producer', '--data', join(folder.path, 'journey'), '--seed', '7'],
        ...['--backfill', `${BACKFILL_HOURS}h`, '--users', '50', '--rate', '4'],
      ),
    clear: () => {},
    backfillHours: BACKFILL_HOURS,
    sources: ['redis', 'process', 'state'],
  });

  suite('services in processes of their own', bound, () => comeAndGo(() => servers, folder.path));
});

/** Sessions close soon, so that their history can be looked at. */
const QUICK = { LULL_GAP: '4s', LULL_TIERS: '2s,10s', LULL_IDLE: '2s', LULL_PREFIX: 'quick-' };
const USERS = Array.from({ length: 24 }, (_, index) => `visitor-${index}`);

function comeAndGo(servers: () => SharedServers, folder: string): void {
  const running = new Map<string, RunningSystem>();
  const environment = () => {
    const { environment: shared, postgres } = servers();
    return { ...shared, ...QUICK, DATABASE_URL: postgres.url('quickdb') };
  };
  let gateway: RunningSystem;
  let sent = 0;

  async function start(name: string, service: string): Promise<RunningSystem> {
    const system = await startServices(environment(), service, '--data', join(folder, name));
    running.set(name, system);
    return system;
  }

  /** Ends one in order. */
  async function end(name: string): Promise<void> {
    const system = running.get(name)!;
    running.delete(name);
    assert.deepEqual(await system.end('SIGTERM'), [0, null], system.output());
  }

  /** An event of each user, and whether all can be read at once. */
  async function round(): Promise<string[]> {
    const timestamp = Date.now();
    const events = USERS.map((userId) => ({ userId, eventType: 'CLICK', timestamp }));
    const answer = await post(gateway.url, events);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    sent++;
    const sources = USERS.map(async (userId) => {
      const headers = { 'lull-after': answer.body.position };
      const url = `${gateway.url}/api/sessions/active/${userId}`;
      return eventually(
        async () => {
          const asked = await fetch(url, { headers });
          const { source, endTime } = (await asked.json()) as SessionRecord & { source: string };
          assert.ok([200, 503].includes(asked.status), `${userId}: ${asked.status}`);
          if (asked.status === 200) assert.ok(Date.parse(endTime) >= timestamp, `${userId} is old`);
          return asked.status === 200 ? source : null;
        },
        (source) => source !== null,
      );
    });
    return (await Promise.all(sources)) as string[];
  }

  after(async () => {
    await Promise.all([...running.values()].map((system) => system.end('SIGKILL')));
  });

  test('lull init makes what is missing, and may be repeated', bound, () => {
    for (let times = 0; times < 2; times++) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'init'], {
        env: { ...process.env, ...environment() },
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^topic quick-user-events: 8 partitions$/m);
    }
  });

  test('services find each other, and what was written can be read', bound, async () => {
    await start('processor-1', 'session-processor');
    await start('analytics', 'session-analytics');
    gateway = await start('gateway', 'api-gateway');
    for (const { url } of running.values()) await untilReady(url);
    assert.deepEqual(new Set(await round()), new Set(['redis']));
    const { body } = await get<{ partitions: { state: string }[] }>(`${gateway.url}/api/system`);
    assert.equal(body.partitions.filter(({ state }) => state === 'running').length, 8);
  });

  test('a second processor takes half, and gives it back when it ends', bound, async () => {
    const owned = async (system: RunningSystem) =>
      (await get<{ partition: number }[]>(`${system.url}/partitions`)).body.length;
    const first = running.get('processor-1')!;
    const second = await start('processor-2', 'session-processor');
    await round();
    await eventually(
      () => Promise.all([owned(first), owned(second)]),
      ([one, other]) => one === 4 && other === 4,
    );
    await untilReady(second.url);
    await round();
    await end('processor-1');
    await round();
    assert.equal(await owned(second), 8);
    await start('processor-1', 'session-processor');
    await round();
    await end('processor-2');
    await round();
  });

  test('without Redis the owner answers, and Redis is filled again', bound, async () => {
    const { redis } = servers();
    await redis.stop();
    await eventually(
      () => round().then((sources) => new Set(sources)),
      (sources) => sources.has('state') && sources.size === 1,
    );
    const { body } = await get<{ parts: { name: string; reason: string }[] }>(
      `${gateway.url}/health`,
    );
    assert.ok(body.parts.find(({ name }) => name === 'redis')!.reason, JSON.stringify(body));
    await redis.start();
    await eventually(
      () => round().then((sources) => new Set(sources)),
      (sources) => sources.has('redis') && sources.size === 1,
    );
  });

  test('every event is in one session, and they are in history', bound, async () => {
    const counted = async (userId: string) => {
      const { body } = await get<{ items: SessionRecord[] }>(
        `${gateway.url}/api/sessions/history/${userId}?limit=1000`,
      );
      return body.items.reduce((sum, { eventCount }) => sum + eventCount, 0);
    };
    for (const userId of USERS) {
      await eventually(
        () => counted(userId),
        (count) => count === sent,
      );
    }
    for (const name of [...running.keys()]) await end(name);
  });

  test('what another topic is makes the start end with one line', bound, () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [MAIN, 'run', 'session-processor', '--partitions', '3', '--port', '0'],
      { env: { ...process.env, ...environment() }, encoding: 'utf8' },
    );
    assert.equal(status, 1);
    assert.match(stderr, /^lull: the topic quick-user-events has 8 partitions, not 3; .*\n$/);
  });
}
