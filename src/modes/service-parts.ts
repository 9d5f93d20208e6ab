/** What the services of a process share: Kafka, Redis, PostgreSQL, and each other's state. */
import type { History } from '../history/history.ts';
import { openPostgresHistory } from '../history/postgres.ts';
import type { RateControl } from '../http/rate-routes.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { describeGroup } from '../kafka/group-plan.ts';
import { ensureTopics, type ReadyTopic } from '../kafka/topics.ts';
import { openRedisLive, type RedisLive } from '../live/redis-live.ts';
import { type KafkaReader, openKafkaReader } from '../log/kafka-reader.ts';
import { type KafkaTopic, openKafkaTopic } from '../log/kafka-topic.ts';
import type { HealthPart } from '../ops/health.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { HeldState, IntakeClosed } from '../services/api-gateway/options.ts';
import { decodeLive } from '../services/session-processor/state-reader.ts';
import { type PartitionHolders, RemoteQuery } from '../state/remote-query.ts';
import type { DistributedOptions } from './distributed.ts';
import { connectKafka, namesOf, type SystemNames, topicPlans } from './kafka.ts';
import { partHealth, watchHistory } from './service-health.ts';

/** A service of this process, as its port sees it. */
export interface RunningService {
  readonly health: () => HealthPart[];
  readonly isReady: () => boolean;
  /** Takes part from now on; resolves or rejects when it ends. Null where nothing is to be done. */
  readonly join: (() => Promise<unknown>) | null;
  /** Hands over to others at once; the port still answers, and says that it is no owner. */
  readonly leave?: () => Promise<void>;
  /** What others may ask this process for. */
  readonly held?: HeldState;
  readonly rate?: RateControl;
  readonly intake?: () => IntakeClosed | null;
}

export interface PartsOptions extends DistributedOptions {
  readonly metrics: Metrics;
  /** Where other instances reach this one. */
  readonly url: string;
  /** Called with what is waited for. */
  readonly onStep: (step: string) => void;
}

export type ReadyTopics = Readonly<
  Record<'events' | 'sessions' | 'late' | 'rejected' | 'changelog', ReadyTopic>
>;

/** Those that no service of the process needs are null. */
export interface Parts extends PartsOptions {
  readonly names: SystemNames;
  readonly cluster: Cluster;
  readonly topics: ReadyTopics;
  readonly events: KafkaTopic;
  /** Of sent sessions; read ahead only while somebody listens. */
  readonly sessions: KafkaReader;
  readonly live: RedisLive | null;
  readonly history: History | null;
  /** Whoever holds a partition is asked; a processor of this process is told by `setHeld`. */
  readonly query: RemoteQuery;
  readonly setHeld: (held: HeldState) => void;
}

/** Waits for the servers that the services need, and brings topics and tables into being. */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { config, services, clock, logger, lifecycle, metrics, onStep } = options;
  const { signal } = lifecycle;
  const names = namesOf(config);
  onStep('waiting for Kafka');
  const cluster = await connectKafka(config, clock, logger, signal);
  lifecycle.add('kafka', () => cluster.close());
  const topics = await readyTopics(options, cluster);
  const events = await openKafkaTopic({ cluster, topic: topics.events, follow: [] }, signal);
  lifecycle.add('log', () => events.close());
  metrics.queue('append_bytes', events.bufferBytes, () => events.bufferedBytes);
  const sessions = await openKafkaReader({ cluster, topic: topics.sessions }, signal);
  lifecycle.add('sessions', () => sessions.close());
  const needsLive = services.has('api-gateway') || services.has('session-processor');
  onStep('waiting for Redis');
  const live = needsLive ? await openLive(options, events) : null;
  if (live !== null) lifecycle.add('redis', () => live.close());
  // The event-producer asks it whether the past can be seen.
  const needsHistory = services.size > 1 || !services.has('session-processor');
  onStep('waiting for PostgreSQL');
  const history = needsHistory
    ? await openPostgresHistory({ url: config.databaseUrl, clock, logger, signal })
    : null;
  if (history !== null) lifecycle.add('history', () => history.close());
  return { ...options, names, cluster, topics, events, sessions, live, history, ...asking() };

  function asking(): Pick<Parts, 'query' | 'setHeld'> {
    let held: HeldState | null = null;
    const query = new RemoteQuery({
      ...{ partitionCount: events.partitionCount, clock, token: config.token },
      describe: () => holdersOf(cluster, names.processorGroup, events.partitionCount),
      local: () => (held === null ? null : { ...held, url: options.url }),
    });
    lifecycle.add('query', () => query.close());
    const setHeld = (given: HeldState) => {
      held = given;
    };
    return { query, setHeld };
  }
}

async function readyTopics(options: PartsOptions, cluster: Cluster): Promise<ReadyTopics> {
  const plans = topicPlans(options.config);
  const ready = await ensureTopics(cluster, plans, options.lifecycle.signal);
  const [events, sessions, late, rejected, changelog] = ready;
  return {
    ...{ events: events!, sessions: sessions!, late: late!, rejected: rejected! },
    changelog: changelog!,
  };
}

function openLive(options: PartsOptions, events: KafkaTopic): Promise<RedisLive> {
  const { config, clock, logger, lifecycle } = options;
  const { definition } = config;
  const { logId, partitionCount } = events;
  return openRedisLive({
    ...{ url: config.redisUrl, logId, partitionCount, clock, logger, signal: lifecycle.signal },
    ...(config.prefix === null ? {} : { prefix: config.prefix }),
    ttlMs: definition.gapMs + definition.tiersMs[0]!,
    decode: (userId, bytes, partition) =>
      decodeLive(definition, { logId, partition }, userId, bytes),
  });
}

/** Null while the group shares out its partitions anew. */
async function holdersOf(
  cluster: Cluster,
  groupId: string,
  partitionCount: number,
): Promise<PartitionHolders[] | null> {
  const members = await describeGroup(cluster, groupId);
  const holders = Array.from({ length: partitionCount }, () => {
    return { owner: null as string | null, standbys: [] as string[] };
  });
  for (const { info, share } of members) {
    if (share === null) return null;
    for (const partition of share.owned) holders[partition]!.owner = info.url;
    for (const partition of share.standby) holders[partition]!.standbys.push(info.url);
  }
  return holders;
}

/** How the servers are, and what the gateway needs of the processors. */
export function watchParts(parts: Parts): RunningService {
  const { services, cluster, live, history, query, clock, lifecycle } = parts;
  const isGateway = services.has('api-gateway');
  let wereOwned = false;
  const watched = isGateway ? watchHistory(history!, clock, lifecycle.signal) : null;
  return {
    join: null,
    health: () => [
      partHealth('kafka', cluster.problem),
      ...(live === null ? [] : [partHealth('redis', live.problem())]),
      ...(watched === null ? [] : [partHealth('postgresql', watched.problem())]),
      ...(isGateway ? [partHealth('partitions', query.problem())] : []),
    ],
    // Without Redis the state answers; without PostgreSQL all but history; without an owner a
    // standby, so that once there was one for each partition, gateways stay ready.
    isReady: () => {
      wereOwned ||= !isGateway || query.problem() === null;
      return cluster.problem === null && wereOwned;
    },
  };
}
