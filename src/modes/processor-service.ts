/** session-processor on Kafka: its state, its place in the group, what it works on. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Group } from '../kafka/group.ts';
import type { ReadyTopic } from '../kafka/topics.ts';
import { KafkaReader } from '../log/kafka-reader.ts';
import {
  processorMetrics,
  watchProcessor,
} from '../services/session-processor/processor-metrics.ts';
import { SessionProcessor } from '../services/session-processor/session-processor.ts';
import { type KafkaStore, openKafkaStore } from '../state/kafka-store.ts';
import { processorHealth } from './service-health.ts';
import type { Parts, RunningService } from './service-parts.ts';

export async function startProcessor(parts: Parts): Promise<RunningService> {
  const { config, clock, cluster, names, events, lifecycle, logger, metrics, url } = parts;
  const live = parts.live!;
  const store = await openStore(parts);
  lifecycle.add('state', () => store.close());
  let isAssigned = false;
  let standbys: readonly number[] = [];
  const processor = new SessionProcessor({
    ...config,
    ...processorMetrics(metrics, live),
    ...{ input: events, store, live, clock },
    isOwner: () => group.isMember,
    standbyAsOfMs: (partition) => store.standbyAsOfMs(partition),
  });
  const group = new Group({
    cluster,
    groupId: names.processorGroup,
    topic: names.events,
    partitionCount: events.partitionCount,
    standbys: config.standbys,
    instanceId: store.instanceId,
    transactionalId: store.transactionalId,
    url,
    sessionTimeoutMs: config.sessionTimeoutMs,
    earlierMemberId: store.earlierMemberId,
    copies: () => store.copies(),
    onRejoin: async () => {
      await processor.pause();
      await store.revoke();
    },
    onAssigned: (assignment) => {
      const { generation, owned, standby } = assignment;
      logger.info({ generation, owned, standby }, 'partitions are assigned');
      store.assign(assignment);
      events.follow(owned);
      isAssigned = true;
      standbys = standby;
      const startMs = clock.monotonicMs();
      processor.assign(owned).then(
        () => {
          const tookMs = Math.round(clock.monotonicMs() - startMs);
          logger.info({ generation, tookMs }, 'partitions are taken up, or others were assigned');
        },
        // What fails ends the processor, which says so.
        () => {},
      );
    },
  });
  const lagRecords = (partition: number) => store.lagRecords(partition);
  watchProcessor(metrics, {
    ...{ processor, store, clock, memoryUsers: config.memoryUsers },
    restoreRecords: lagRecords,
    standbyTarget: config.standbys,
    standbys: () => new Map(standbys.map((partition) => [partition, lagRecords(partition)])),
  });
  const held = { query: processor, partitions: () => processor.status() };
  parts.setHeld(held);
  const isRunning = () => processor.status().every(({ state }) => state === 'running');
  return {
    held,
    health: () => [processorHealth(processor)],
    isReady: () => isAssigned && isRunning(),
    join: () => Promise.race([processor.start(), group.run()]),
    leave: async () => {
      // What was read is committed, then others take over.
      await processor.close();
      await group.close();
    },
  };
}

async function openStore(parts: Parts): Promise<KafkaStore> {
  const { config, cluster, names, topics, lifecycle } = parts;
  const directory = join(config.dataDir, 'processor');
  await mkdir(directory, { recursive: true });
  // Nobody reads them here.
  const target = (topic: ReadyTopic) => ({
    topic,
    reader: new KafkaReader({ cluster, topic, follow: [] }),
  });
  return openKafkaStore(
    {
      ...{ directory, cluster, groupId: names.processorGroup, inputTopic: names.events },
      changelog: topics.changelog,
      outputs: new Map([
        ['sessions', target(topics.sessions)],
        ['late-events', target(topics.late)],
        ['rejected-events', target(topics.rejected)],
      ]),
    },
    lifecycle.signal,
  );
}
