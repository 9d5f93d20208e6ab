/**
 * All services on servers that ask for passwords and speak TLS, with certificates that sign
 * themselves; and no secret in anything that is said, whatever is logged and whatever goes wrong.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { unlessKafka } from '../support/kafka-broker.ts';
import { type PostgresServer, startPostgres, unlessPostgres } from '../support/postgres-server.ts';
import { type RedisServer, startRedis, unlessRedis } from '../support/redis-server.ts';
import {
  eventually,
  MAIN,
  makeFolder,
  type RunningSystem,
  startServices,
} from '../support/running-system.ts';
import {
  KAFKA_PASSWORD,
  KAFKA_USER,
  type SecuredKafka,
  startSecuredKafka,
} from '../support/secured-kafka.ts';

const TOKEN = 'token-secret-0815';
const REDIS_PASSWORD = 'redis-secret-4712';
const POSTGRES_PASSWORD = 'postgres-secret-4713';
const WRONG = 'wrong-secret-4714';
const SECRET = /secret-\d{4}/;
const SERVICES = ['api-gateway', 'event-producer', 'session-processor', 'session-analytics'];
const bound = { timeout: 300_000 };

/** As the docs name them. */
const rights = [
  ...readFileSync('docs/security.md', 'utf8').matchAll(/^ {4}(--operation .*)$/gm),
].map(([, right = '']) => right);

const skip = unlessKafka() || unlessRedis() || unlessPostgres();

suite('on servers that ask who is there', { skip, ...bound }, () => {
  const folder = makeFolder('secured');
  let kafka: SecuredKafka;
  let redis: RedisServer;
  let postgres: PostgresServer;
  let environment: Record<string, string>;
  let system: RunningSystem;

  before(async () => {
    [kafka, redis, postgres] = await Promise.all([
      startSecuredKafka(rights),
      startRedis({ tls: true, password: REDIS_PASSWORD }),
      startPostgres({ tls: true, password: POSTGRES_PASSWORD }),
    ]);
    const redisCertificate = join(folder.path, 'redis.crt');
    writeFileSync(redisCertificate, redis.certificate!);
    environment = {
      KAFKA_BOOTSTRAP_SERVERS: kafka.servers.SASL_SSL,
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SSL_CA_LOCATION: kafka.certificate.certificate,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: KAFKA_USER,
      KAFKA_SASL_PASSWORD: KAFKA_PASSWORD,
      REDIS_URL: redis.url,
      NODE_EXTRA_CA_CERTS: redisCertificate,
      DATABASE_URL: `${postgres.url()}?sslmode=verify-full&sslrootcert=${postgres.certificate}`,
      LULL_TOKEN: TOKEN,
      LULL_BACKFILL: '0s',
      LULL_RATE: '20',
      LULL_USERS: '20',
      LULL_PARTITIONS: '2',
      LULL_DATA: folder.path,
      LOG_LEVEL: 'trace',
    };
    system = await startServices(environment, ...SERVICES);
  }, bound);
  after(async () => {
    await system?.end('SIGKILL');
    await Promise.all([kafka?.stop(), redis?.dispose(), postgres?.dispose()]);
    folder.remove();
  });

  const ask = (path: string, token: string | null, init: RequestInit = {}) =>
    fetch(`${system.url}${path}`, {
      ...init,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });

  test('the rights that the docs name are enough', () => assert.equal(rights.length, 3));

  test('an event becomes a session, for those who have the token', bound, async () => {
    await eventually(
      () => ask('/ready', null),
      ({ status }) => status === 200,
    );
    const event = { userId: 'ada', eventType: 'PAGE_VIEW', timestamp: Date.now() };
    const body = JSON.stringify(event);
    assert.equal((await ask('/api/events', TOKEN, { method: 'POST', body })).status, 202);
    const found = await eventually(
      () => ask('/api/sessions/active/ada', TOKEN),
      ({ status }) => status === 200,
    );
    assert.equal(((await found.json()) as { eventCount: number }).eventCount, 1);
    for (const token of [null, WRONG, '']) {
      for (const path of [
        '/api/sessions/active/ada',
        '/state/ada',
        '/api/analytics/stats?hours=1',
      ]) {
        const refused = await ask(path, token);
        assert.equal(refused.status, 401, path);
        assert.doesNotMatch(await refused.text(), SECRET);
      }
      assert.equal((await ask('/api/events', token, { method: 'POST', body })).status, 401);
    }
    assert.doesNotMatch(await (await ask('/metrics', null)).text(), SECRET);
    assert.doesNotMatch(await (await ask('/health', null)).text(), SECRET);
  });

  test('servers that go away are complained of without secrets', bound, async () => {
    await redis.kill();
    await postgres.kill();
    await eventually(
      async () => (await (await ask('/health', null)).json()) as { parts: { reason: string }[] },
      ({ parts }) => parts.filter(({ reason }) => reason !== null).length >= 2,
    );
    await redis.start();
    await postgres.start();
    await eventually(
      () => ask('/api/analytics/stats?hours=1', TOKEN),
      ({ status }) => status === 200,
    );
    assert.match(system.output(), /Redis/);
    assert.doesNotMatch(system.output(), SECRET);
  });

  const wrong: readonly [name: string, value: (given: Record<string, string>) => string][] = [
    ['KAFKA_SASL_PASSWORD', () => WRONG],
    ['REDIS_URL', ({ REDIS_URL }) => REDIS_URL!.replace(REDIS_PASSWORD, WRONG)],
    ['DATABASE_URL', ({ DATABASE_URL }) => DATABASE_URL!.replace(POSTGRES_PASSWORD, WRONG)],
    ['REDIS_URL', () => `http://:${WRONG}@127.0.0.1`],
    ['KAFKA_SSL_CA_LOCATION', () => join(folder.path, 'nowhere')],
    ['KAFKA_SSL_CA_LOCATION', () => join(folder.path, 'redis.crt')],
  ];
  for (const [name, value] of wrong) {
    test(`a wrong ${name} is one line and status 1, without the secret`, bound, () => {
      const env = { ...process.env, ...environment, [name]: value(environment) };
      const given = [MAIN, 'run', '--port', '0', ...SERVICES];
      const { status, stderr } = spawnSync(process.execPath, given, { env, encoding: 'utf8' });
      assert.equal(status, 1, stderr);
      const said = stderr.split('\n').filter((line) => line.startsWith('lull: '));
      assert.equal(said.length, 1, stderr);
      assert.doesNotMatch(stderr, SECRET);
    });
  }
});
