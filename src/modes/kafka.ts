/** Kafka as the settings name it: the cluster, the topics and the groups of one system. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { LullError } from '../errors.ts';
import { type Cluster, type ClusterOptions, connectCluster } from '../kafka/cluster.ts';
import type { TopicPlan } from '../kafka/topics.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';

export interface SystemNames {
  readonly events: string;
  readonly sessions: string;
  readonly late: string;
  readonly rejected: string;
  readonly changelog: string;
  readonly processorGroup: string;
  readonly analyticsGroup: string;
}

/** Whoever shares a cluster with others has a prefix. */
export function namesOf({ prefix }: Config): SystemNames {
  const before = prefix ?? '';
  return {
    events: `${before}user-events`,
    sessions: `${before}sessions`,
    late: `${before}late-events`,
    rejected: `${before}rejected-events`,
    changelog: `${before}session-state-changelog`,
    processorGroup: `${before}lull-session-processor`,
    analyticsGroup: `${before}lull-session-analytics`,
  };
}

/** The topics as they must be, in the order of `SystemNames`. */
export function topicPlans(config: Config): TopicPlan[] {
  const { events, sessions, late, rejected, changelog } = namesOf(config);
  const { partitions: partitionCount, replication } = config;
  const plan = { partitionCount, ...(replication === null ? {} : { replication }) };
  return [
    // The time of arrival is the broker's: no producer decides what is late.
    { ...plan, name: events, appendTime: true },
    { ...plan, name: sessions },
    { ...plan, name: late },
    { ...plan, name: rejected },
    { ...plan, name: changelog, compacted: true },
  ];
}

/** Waits for a first broker, saying so; rejects when the brokers won't have us. */
export async function connectKafka(
  config: Config,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<Cluster> {
  const tls = await tlsOf(config);
  const sasl = saslOf(config);
  const options: ClusterOptions = {
    bootstrapServers: config.kafkaServers,
    clientId: 'lull',
    clock,
    logger,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
  return connectCluster(options, signal);
}

async function tlsOf(config: Config): Promise<ClusterOptions['tls']> {
  const { kafkaProtocol, kafkaCaFile, kafkaCertificateFile, kafkaKeyFile } = config;
  if (!kafkaProtocol.endsWith('SSL')) return undefined;
  return {
    ...(kafkaCaFile === null ? {} : { ca: await readPem(kafkaCaFile) }),
    ...(kafkaCertificateFile === null ? {} : { cert: await readPem(kafkaCertificateFile) }),
    ...(kafkaKeyFile === null ? {} : { key: await readPem(kafkaKeyFile) }),
  };
}

function saslOf(config: Config): ClusterOptions['sasl'] {
  const { kafkaProtocol, kafkaMechanism, kafkaUser, kafkaPassword } = config;
  if (!kafkaProtocol.startsWith('SASL')) return undefined;
  return { mechanism: kafkaMechanism, username: kafkaUser!, password: kafkaPassword! };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LullError('input_unreadable', `${path} can't be read: ${code}`, { cause });
  }
}
