/** Bad situations of the distributed system: servers that are away, at the start and later on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance, type Service } from '../chaos/instances.ts';
import { freePort } from '../support/free-port.ts';
import { type KafkaCluster, startKafka, unlessKafka } from '../support/kafka-broker.ts';
import { type PostgresServer, startPostgres, unlessPostgres } from '../support/postgres-server.ts';
import { type RedisServer, startRedis, unlessRedis } from '../support/redis-server.ts';
import { eventually, get, MAIN, makeFolder } from '../support/running-system.ts';
import { checkSessions, type Sent, settledSessions } from './acknowledged.ts';

const bound = { timeout: 600_000 };
const SERVICES: readonly Service[] = ['api-gateway', 'session-processor', 'session-analytics'];
const USERS = Array.from({ length: 20 }, (_, user) => `user-${user}`);
/** Short, so that sessions close while a server is away. */
const SETTINGS = {
  ...{ LULL_GAP: '4s', LULL_TIERS: '2s,60s', LULL_IDLE: '2s', LULL_RETAIN_SESSIONS: '1d' },
  ...{ LULL_PARTITIONS: '4', LOG_LEVEL: 'warn' },
};
const AWAY_MS = 10_000;
/** PostgreSQL, with events and without: a minute in all. */
const HISTORY_AWAY_MS = 30_000;
/** Of what is logged while a server is away: what is wrong once, and once a minute. */
const MAX_LINES = 6;

const skip = unlessKafka() || unlessRedis() || unlessPostgres();

suite('servers that are away', { skip, ...bound }, () => {
  const folder = makeFolder('situations');
  const acknowledged = new Map<string, Sent>();
  const uncertain = new Map<string, Sent>();
  const instances = new Map<Service, Instance>();
  let kafka: KafkaCluster;
  let redis: RedisServer;
  let postgres: PostgresServer;
  let environment: Record<string, string>;
  let url: string;
  let count = 0;

  before(async () => {
    [kafka, redis, postgres] = await Promise.all([
      startKafka(),
      startRedis({ isStopped: true }),
      startPostgres(),
    ]);
    await Promise.all([kafka.kill(1), postgres.stop()]);
    environment = {
      ...SETTINGS,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      REDIS_URL: redis.url,
      DATABASE_URL: postgres.url('sessiondb'),
    };
    for (const service of SERVICES) {
      const port = await freePort();
      instances.set(service, new Instance(service, service, port, folder.path, environment));
    }
    ({ url } = instances.get('api-gateway')!);
  }, bound);

  after(async () => {
    await Promise.all([...instances.values()].map((instance) => instance.end('SIGKILL')));
    await Promise.all([kafka?.stop(), redis?.dispose(), postgres?.dispose()]);
    folder.remove();
  });

  /** Until each of these has said that it waits for the server. */
  async function waitsFor(server: string, services: readonly Service[]): Promise<void> {
    const said = new RegExp(`"level":"error"[^\n]*${server} at `);
    for (const service of services) {
      const instance = instances.get(service)!;
      await eventually(
        async () => instance.output,
        (output) => {
          assert.ok(instance.isRunning, output);
          return said.test(output);
        },
      );
      assert.equal(await instance.isReady(), false);
    }
  }

  /** An event of each user; resolves with the status. */
  async function send(): Promise<number> {
    const events = USERS.map((userId) => {
      return { eventId: `e-${count++}`, userId, eventType: 'CLICK', timestamp: Date.now() };
    });
    const answer = await fetch(`${url}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    });
    const isTaken = answer.status === 202;
    for (const event of events) (isTaken ? acknowledged : uncertain).set(event.eventId, event);
    if (!isTaken) {
      assert.equal(answer.status, 503, await answer.text());
      assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
    }
    return answer.status;
  }

  const untilTaken = () => eventually(send, (status) => status === 202);

  const reasonOf = async (part: string) => {
    const { body } = await get<{ parts: { name: string; reason: string | null }[] }>(
      `${url}/health`,
    );
    return body.parts.find(({ name }) => name === part)?.reason ?? null;
  };

  test('at the start each is waited for with a line, and then all is well', bound, async () => {
    for (const instance of instances.values()) instance.start();
    await waitsFor('Kafka', SERVICES);
    const { body } = await get<{ status: string }>(`${url}/health`);
    assert.equal(body.status, 'degraded');
    await kafka.restart(1);
    await waitsFor('Redis', ['api-gateway', 'session-processor']);
    await redis.start();
    await waitsFor('PostgreSQL', ['api-gateway', 'session-analytics']);
    await postgres.start();
    for (const instance of instances.values()) {
      await eventually(() => instance.isReady(), Boolean);
      const lines = instance.output.split('\n').filter((line) => line.startsWith('{'));
      assert.ok(lines.length <= MAX_LINES, instance.output);
    }
    assert.equal(await send(), 202);
  });

  test('Kafka goes: events are refused, sessions still read; it comes back', bound, async () => {
    const active = () => get(`${url}/api/sessions/active/user-0`).then(({ status }) => status);
    await untilTaken();
    await eventually(active, (status) => status === 200);
    await kafka.kill(1);
    assert.equal(await active(), 200);
    await eventually(send, (status) => status === 503);
    await eventually(
      () => reasonOf('kafka'),
      (reason) => reason !== null,
    );
    await sleep(AWAY_MS);
    await kafka.restart(1);
    await untilTaken();
    await eventually(
      () => reasonOf('kafka'),
      (reason) => reason === null,
    );
  });

  test('PostgreSQL goes: all but history goes on; it comes back', bound, async () => {
    await postgres.stop();
    const untilMs = performance.now() + HISTORY_AWAY_MS;
    while (performance.now() < untilMs) {
      await untilTaken();
      await sleep(500);
    }
    const history = await get<{ error: { code: string } }>(`${url}/api/sessions/history/user-0`);
    assert.deepEqual([history.status, history.body.error.code], [503, 'history_unavailable']);
    assert.notEqual(await reasonOf('postgresql'), null);
    // What closes now can be written only later.
    await sleep(HISTORY_AWAY_MS);
    await postgres.start();
    await eventually(
      () => reasonOf('postgresql'),
      (reason) => reason === null,
    );
  });

  test('Redis goes: the state answers; it comes back', bound, async () => {
    await redis.kill();
    await untilTaken();
    const active = await eventually(
      () => get<{ source: string }>(`${url}/api/sessions/active/user-0`),
      ({ status }) => status === 200,
    );
    assert.equal(active.body.source, 'state');
    await redis.start();
    await eventually(
      () => send().then(() => get<{ source: string }>(`${url}/api/sessions/active/user-0`)),
      ({ body }) => ['redis', 'process'].includes(body.source),
    );
  });

  test('every acknowledged event is in one session, once', bound, async () => {
    const sessions = await settledSessions(url, USERS, acknowledged);
    checkSessions(sessions, acknowledged, uncertain);
  });

  test('a port that is taken, and a password that is wrong: one line each', bound, async () => {
    const { port } = new URL(url);
    const run = (wrong: Record<string, string>) => {
      const env = { ...process.env, ...environment, PORT: '0', ...wrong };
      const data = ['--data', join(folder.path, 'wrong')];
      const command = [MAIN, 'run', 'session-processor', ...data];
      const { status, stderr } = spawnSync(process.execPath, command, { env, encoding: 'utf8' });
      assert.equal(status, 1, stderr);
      return stderr;
    };
    assert.match(run({ PORT: port }), new RegExp(`^lull: port ${port} is in use; [^\n]*\n$`));
    // Those that are connected already stay so.
    await redis.cli('config', 'set', 'requirepass', 'right-secret');
    const redisUrl = redis.url.replace('//', '//:wrong-secret@');
    const refused = run({ REDIS_URL: redisUrl });
    assert.match(refused, /^lull: Redis [^\n]*\n$/);
    assert.ok(!refused.includes('wrong-secret'));
  });

  test('each ends in order', bound, async () => {
    for (const instance of instances.values()) {
      await instance.end('SIGTERM');
      assert.match(instance.output, /\(ended: 0\)\n$/);
    }
  });
});
