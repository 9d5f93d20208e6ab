/** The log on a real Kafka: the contract, and what brokers and other writers may do to it. */
import { after, before, describe } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { systemClock } from '../ops/clock.ts';
import { openKafkaReader } from './kafka-reader.ts';
import { openKafkaTopic } from './kafka-topic.ts';
import { topicContract, topicReaderContract } from './log.contract.ts';

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

  topicReaderContract('Kafka reader beside a writer elsewhere', async () => {
    const topic = await newTopic(cluster, { maxBatchBytes: 4 << 20 });
    const writer = await openKafkaTopic({ cluster, topic, follow: [] });
    let reader = await openKafkaReader({ cluster, topic });
    return {
      reader,
      async append(records) {
        const offsets = await writer.append(records);
        const isThere = () =>
          offsets.every((offset, index) => reader.endOffset(records[index]!.partition) > offset);
        while (!isThere()) await systemClock.sleep(1);
      },
      async reopen() {
        reader.close();
        reader = await openKafkaReader({ cluster, topic });
        return reader;
      },
      async dispose() {
        reader.close();
        await writer.close();
      },
    };
  });
});
