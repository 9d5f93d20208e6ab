/** A whole distributed system for fault tests: three brokers, Redis, PostgreSQL, instances. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_DEFINITION, type SessionDefinition } from '../../src/core/definition.ts';
import { freePort } from '../support/free-port.ts';
import { type KafkaCluster, startKafka } from '../support/kafka-broker.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { Instance, type Service } from './instances.ts';

export const PARTITIONS = 8;
export const SESSION_TIMEOUT_MS = 6000;

/** Short, so that sessions close, merge, are amended and settle while a fault lasts. */
export const DEFINITION: SessionDefinition = {
  ...DEFAULT_DEFINITION,
  gapMs: 3000,
  tiersMs: [1000, 5000, 20_000],
  idleMs: 2000,
};

const SETTINGS = {
  ...{ LULL_GAP: '3s', LULL_TIERS: '1s,5s,20s', LULL_IDLE: '2s', LULL_RETAIN_SESSIONS: '1d' },
  ...{ LULL_PARTITIONS: `${PARTITIONS}`, LULL_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS}ms` },
  ...{ LULL_SIMULATE: 'false', LOG_LEVEL: 'info' },
};

/** How many there are of each at the start. */
const FLEET: readonly [Service, number][] = [
  ['session-processor', 3],
  ['session-analytics', 2],
  ['api-gateway', 1],
];

export interface ChaosSystem {
  readonly kafka: KafkaCluster;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  readonly instances: readonly Instance[];
  of(service: Service): readonly Instance[];
  /** Once every instance is ready; rejects with what the others said when that takes too long. */
  ready(withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startChaosSystem(): Promise<ChaosSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-chaos-'));
  const [kafka, redis, postgres] = await Promise.all([
    startKafka({ brokers: 3 }),
    startRedis(),
    startPostgres(),
  ]);
  const settings = {
    ...SETTINGS,
    KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url('sessiondb'),
  };
  const instances: Instance[] = [];
  for (const [service, count] of FLEET) {
    for (let number = 1; number <= count; number++) {
      const port = await freePort();
      instances.push(new Instance(`${service}-${number}`, service, port, folder, settings));
    }
  }
  for (const instance of instances) instance.start();
  return {
    ...{ kafka, redis, postgres, instances },
    of: (service) => instances.filter((instance) => instance.service === service),
    ready: (withinMs) => allReady(instances, withinMs),
    stop: async () => {
      await Promise.all(instances.map((instance) => instance.end('SIGKILL')));
      await Promise.all([kafka.stop(), redis.dispose(), postgres.dispose()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function allReady(instances: readonly Instance[], withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (const instance of instances) {
    while (instance.isRunning && !(await instance.isReady())) {
      if (performance.now() > deadlineMs) {
        throw new Error(`${instance.name} is not ready: ${instance.output}`);
      }
      await sleep(100);
    }
  }
}
