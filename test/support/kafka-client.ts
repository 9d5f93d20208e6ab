/** A connection to a test's Kafka, and topics with names of their own. */
import { type Cluster, connectCluster } from '../../src/kafka/cluster.ts';
import { ensureTopics, type ReadyTopic, type TopicPlan } from '../../src/kafka/topics.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { createLogger, type Logger } from '../../src/ops/logger.ts';
import type { KafkaCluster } from './kafka-broker.ts';

export function connectTo(
  kafka: Pick<KafkaCluster, 'bootstrapServers'>,
  logger: Logger = createLogger('silent'),
): Promise<Cluster> {
  const { bootstrapServers } = kafka;
  return connectCluster({ bootstrapServers, clientId: 'lull-test', clock: systemClock, logger });
}

let topics = 0;

/** A new topic; of three partitions, with the broker's times, unless told otherwise. */
export async function newTopic(
  cluster: Cluster,
  plan: Partial<TopicPlan> = {},
): Promise<ReadyTopic> {
  const name = `topic-${process.pid}-${topics++}`;
  const [topic] = await ensureTopics(cluster, [
    { name, partitionCount: 3, appendTime: true, ...plan },
  ]);
  return topic!;
}
