/** The log on a real Kafka: the contract, and what brokers and other writers may do to it. */
import { after, before, describe } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { openKafkaTopic } from './kafka-topic.ts';
import { topicContract } from './log.contract.ts';

describe('Kafka topic', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  let cluster: Cluster;
  before(async () => {
    kafka = await startKafka();
    cluster = await connectTo(kafka);
  });
  after(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  for (const compression of ['none', 'lz4'] as const) {
    topicContract(`Kafka topic, ${compression}`, async () => {
      const topic = await newTopic(cluster, { maxBatchBytes: 4 << 20 });
      const open = () => openKafkaTopic({ cluster, topic, compression });
      let opened = await open();
      return {
        topic: opened,
        isStoredElsewhere: true,
        async reopen() {
          opened = await open();
          return opened;
        },
        dispose: () => opened.close(),
      };
    });
  }
});
