/** A whole distributed system to be measured: brokers, Redis, PostgreSQL, `lull run` of each. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../src/kafka/cluster.ts';
import { describeGroup } from '../../src/kafka/group-plan.ts';
import { Instance, type Service } from '../../test/chaos/instances.ts';
import { freePort } from '../../test/support/free-port.ts';
import { type KafkaCluster, startKafka } from '../../test/support/kafka-broker.ts';
import { connectTo } from '../../test/support/kafka-client.ts';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { type RedisServer, startRedis } from '../../test/support/redis-server.ts';

export const PARTITIONS = 8;
export const GROUP = 'lull-session-processor';
const READY_MS = 120_000;
/** A standby that lacks no more than this keeps up. */
const STANDBY_LAG_RECORDS = 1000;

const SETTINGS = {
  ...{ LULL_PARTITIONS: `${PARTITIONS}`, LULL_SESSION_TIMEOUT: '6s', LULL_STANDBYS: '1' },
  ...{ LULL_SIMULATE: 'false', LOG_LEVEL: 'info' },
};

export interface MeasuredSystem {
  readonly kafka: KafkaCluster;
  readonly cluster: Cluster;
  readonly redis: RedisServer;
  readonly gateway: Instance;
  readonly processors: readonly Instance[];
  /** Once all are ready and every partition has an owner and a standby that keeps up. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** Two processors, a gateway and a session-analytics. */
export async function startMeasuredSystem(brokers: 1 | 3): Promise<MeasuredSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-measured-'));
  const [kafka, redis, postgres] = await Promise.all([
    startKafka({ brokers, measured: true }),
    startRedis(),
    startPostgres(),
  ]);
  const settings = {
    ...SETTINGS,
    KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url('sessiondb'),
  };
  const launch = async (name: string, service: Service) => {
    const instance = new Instance(name, service, await freePort(), folder, settings);
    instance.start();
    return instance;
  };
  const gateway = await launch('gateway', 'api-gateway');
  const analytics = await launch('analytics', 'session-analytics');
  const processors = [
    await launch('processor-1', 'session-processor'),
    await launch('processor-2', 'session-processor'),
  ];
  const instances = [gateway, analytics, ...processors];
  endWithThisProcess(instances);
  const cluster = await connectTo(kafka);
  return {
    ...{ kafka, cluster, redis, gateway, processors },
    settled: async () => {
      await until('every instance is ready', instances, async () => {
        const ready = await Promise.all(instances.map((instance) => instance.isReady()));
        return ready.every(Boolean);
      });
      await until('standbys keep up', processors, () => hasStandbys(cluster, processors));
    },
    stop: async () => {
      await cluster.close();
      await Promise.all(instances.map((instance) => instance.end('SIGKILL')));
      await Promise.all([kafka.stop(), redis.dispose(), postgres.dispose()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** However it ends: what else was started sees to that by itself. */
function endWithThisProcess(instances: readonly Instance[]): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => {
    for (const instance of instances) if (instance.isRunning) process.kill(instance.pid, 'SIGKILL');
  });
}

async function hasStandbys(cluster: Cluster, processors: readonly Instance[]): Promise<boolean> {
  const members = await describeGroup(cluster, GROUP);
  const owned = members.map(({ share }) => share?.owned.length ?? 0);
  if (owned.length < processors.length || owned.includes(0)) return false;
  const lags = await Promise.all(
    processors.map(({ url }) => metric(url, 'lull_standby_lag_records')),
  );
  return lags.flat().length === PARTITIONS && Math.max(...lags.flat()) < STANDBY_LAG_RECORDS;
}

/** All values of a metric, whatever their labels. */
async function metric(url: string, name: string): Promise<number[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
  return [...lines].map(([, value]) => Number(value));
}

/** Rejects with what the instances said when it takes too long. */
export async function until(
  what: string,
  instances: readonly Instance[],
  check: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  while (!(await check().catch(() => false))) {
    if (performance.now() > deadlineMs) {
      const said = instances.map(({ name, output }) => `--- ${name}\n${output.slice(-3000)}`);
      throw new Error(`waited in vain until ${what}\n${said.join('\n')}`);
    }
    await sleep(100);
  }
}
