/**
 * What the race asks of its broker from outside the contenders: topics, events put in before the
 * clock runs, how far a group has committed, and what was written, read committed.
 */
import { Admin, Consumer, FetchIsolationLevels, Producer } from '@platformatic/kafka';
import type { LoadEvent } from './load.ts';

export interface StoredRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Bits of a record batch's attributes. */
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Events of a partition that go into one request. */
const BATCH_EVENTS = 2000;

export class Cluster {
  private readonly bootstrapBrokers: string[];
  private readonly admin: Admin;

  constructor(bootstrapServers: string) {
    this.bootstrapBrokers = bootstrapServers.split(',');
    this.admin = new Admin({ clientId: 'race', bootstrapBrokers: this.bootstrapBrokers });
  }

  /** Nothing of it expires while the race lasts; records carry the time of their writing. */
  async createTopic(topic: string, partitions: number): Promise<void> {
    await this.admin.createTopics({
      topics: [topic],
      partitions,
      replicas: 1,
      configs: [
        { name: 'retention.ms', value: '-1' },
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
      ],
    });
  }

  /** Those that match, of those that exist. */
  async deleteTopics(which: (topic: string) => boolean): Promise<void> {
    const topics = (await this.admin.listTopics()).filter(which);
    if (topics.length > 0) await this.admin.deleteTopics({ topics });
  }

  async deleteGroup(group: string): Promise<void> {
    const groups = await this.admin.listGroups();
    if (groups.has(group)) await this.admin.deleteGroups({ groups: [group] });
  }

  async preload(topic: string, events: Iterable<LoadEvent>): Promise<void> {
    const producer = new Producer({
      clientId: 'race-load',
      bootstrapBrokers: this.bootstrapBrokers,
    });
    const waiting = new Map<number, { key: Buffer; value: Buffer }[]>();
    const send = async (partition: number) => {
      const messages = waiting.get(partition)!;
      waiting.delete(partition);
      await producer.send({
        acks: -1,
        messages: messages.map((message) => ({ ...message, topic, partition })),
      });
    };
    for (const { userId, partition, json } of events) {
      const batch = waiting.get(partition) ?? [];
      waiting.set(partition, batch);
      batch.push({ key: Buffer.from(userId), value: Buffer.from(json) });
      if (batch.length === BATCH_EVENTS) await send(partition);
    }
    for (const partition of waiting.keys()) await send(partition);
    await producer.close();
  }

  /** Whether all members of the group know what they have to do. */
  async isStable(group: string): Promise<boolean> {
    const groups = await this.admin.describeGroups({ groups: [group] });
    return groups.get(group)?.state === 'Stable';
  }

  /** How many of the topic's events the group has committed, all partitions together. */
  async committed(group: string, topic: string): Promise<number> {
    const [answer] = await this.admin.listConsumerGroupOffsets({ groups: [group] });
    const partitions = answer?.topics.find(({ name }) => name === topic)?.partitions ?? [];
    return partitions.reduce((sum, { committedOffset }) => sum + Number(committedOffset), 0);
  }

  /** Everything in a topic, read committed, partition by partition. */
  async *read(topic: string): AsyncGenerator<StoredRecord> {
    const consumer = new Consumer({
      clientId: 'race-judge',
      groupId: 'race-judge',
      bootstrapBrokers: this.bootstrapBrokers,
    });
    try {
      const metadata = await consumer.metadata({ topics: [topic], forceUpdate: true });
      const { id, partitionsCount } = metadata.topics.get(topic)!;
      for (let partition = 0; partition < partitionsCount; partition++) {
        yield* readPartition(consumer, id, partition);
      }
    } finally {
      await consumer.close(true);
    }
  }

  async close(): Promise<void> {
    await this.admin.close();
  }
}

async function* readPartition(
  consumer: Consumer,
  topicId: string,
  partition: number,
): AsyncGenerator<StoredRecord> {
  let fetchOffset = 0n;
  const aborted = new Set<bigint>();
  for (;;) {
    const wanted = { partition, fetchOffset, currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
    const { responses } = await consumer.fetch({
      node: 1,
      topics: [{ topicId, partitions: [{ ...wanted, partitionMaxBytes: 8 << 20 }] }],
      maxWaitTime: 10,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    });
    const answer = responses[0]?.partitions[0];
    const batches = answer?.records ?? [];
    if (batches.length === 0) return;
    const begun = [...(answer!.abortedTransactions ?? [])];
    begun.sort((one, other) => Number(one.firstOffset - other.firstOffset));
    for (const batch of batches) {
      const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
      fetchOffset = last + 1n;
      while (begun[0] !== undefined && begun[0].firstOffset <= last) {
        aborted.add(begun.shift()!.producerId);
      }
      // A marker ends what its producer had open.
      if ((batch.attributes & CONTROL) !== 0) aborted.delete(batch.producerId);
      else if ((batch.attributes & TRANSACTIONAL) === 0 || !aborted.has(batch.producerId)) {
        for (const { key, value } of batch.records) {
          yield { key: key!, value: value! };
        }
      }
    }
  }
}
