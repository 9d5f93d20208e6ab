/** Kafka, Redis and PostgreSQL, started together for a test of the distributed system. */
import { type KafkaCluster, startKafka, unlessKafka } from './kafka-broker.ts';
import { type PostgresServer, startPostgres, unlessPostgres } from './postgres-server.ts';
import { type RedisServer, startRedis, unlessRedis } from './redis-server.ts';

export interface SharedServers {
  readonly kafka: KafkaCluster;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  /** What tells Lull where they are. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** For a test's `skip`. */
export function unlessSharedServers(): string | false {
  return unlessKafka() || unlessRedis() || unlessPostgres();
}

export async function startSharedServers(): Promise<SharedServers> {
  const [kafka, redis, postgres] = await Promise.all([startKafka(), startRedis(), startPostgres()]);
  return {
    ...{ kafka, redis, postgres },
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      REDIS_URL: redis.url,
      DATABASE_URL: postgres.url('sessiondb'),
    },
    stop: async () => {
      await Promise.all([kafka.stop(), redis.dispose(), postgres.dispose()]);
    },
  };
}
