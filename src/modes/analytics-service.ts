/** session-analytics on Kafka: which partitions of `sessions` this instance brings into history. */
import { randomUUID } from 'node:crypto';
import { Group } from '../kafka/group.ts';
import { openKafkaReader } from '../log/kafka-reader.ts';
import { startSessionAnalytics } from '../services/session-analytics/session-analytics.ts';
import type { Parts, RunningService } from './service-parts.ts';

export async function startAnalytics(parts: Parts): Promise<RunningService> {
  const { config, clock, logger, cluster, names, topics, lifecycle, metrics, url } = parts;
  const { signal } = lifecycle;
  const topic = await openKafkaReader({ cluster, topic: topics.sessions, follow: [] }, signal);
  lifecycle.add('sent sessions', () => topic.close());
  const { retainSessionsMs } = config;
  const history = parts.history!;
  const analytics = startSessionAnalytics({
    ...{ topic, history, clock, logger, metrics, retainSessionsMs },
  });
  let isAssigned = false;
  const group = new Group({
    cluster,
    groupId: names.analyticsGroup,
    topic: names.sessions,
    partitionCount: topic.partitionCount,
    standbys: 0,
    instanceId: randomUUID(),
    // Its positions lie in the same transaction as its rows.
    transactionalId: null,
    url,
    sessionTimeoutMs: config.sessionTimeoutMs,
    copies: () => new Map(),
    // Two that read the same records change nothing by it.
    onRejoin: async () => {},
    onAssigned: ({ owned }) => {
      topic.follow(owned);
      analytics.assign(owned);
      isAssigned = true;
    },
  });
  return {
    health: () => [analytics.health()],
    isReady: () => isAssigned && analytics.health().status === 'ok',
    join: () => group.run(),
    leave: async () => {
      await group.close();
      await analytics.close();
    },
  };
}
