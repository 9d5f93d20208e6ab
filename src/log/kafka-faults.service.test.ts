/** Brokers that die while records are appended and read: none lost, none doubled. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import type { Cluster } from '../kafka/cluster.ts';
import type { ReadyTopic } from '../kafka/topics.ts';
import { systemClock } from '../ops/clock.ts';
import { openKafkaReader } from './kafka-reader.ts';
import { openKafkaTopic } from './kafka-topic.ts';
import { readAll, record } from './log.contract.ts';
import type { NewRecord, Topic } from './log.ts';

const PARTITIONS = 6;

/** Appends numbered records all the time; keeps which of them were acknowledged, and where. */
class Writing {
  /** `partition/offset` of what was acknowledged, by the record's number. */
  readonly acknowledged = new Map<string, string>();
  refused = 0;
  #number = 0;
  #stopped = false;
  readonly #workers: Promise<void>[];

  constructor(topic: Topic, random: () => number) {
    this.#workers = Array.from({ length: 8 }, () => this.#work(topic, random));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
  }

  async #work(topic: Topic, random: () => number): Promise<void> {
    while (!this.#stopped) {
      const records: NewRecord[] = [];
      for (let left = 1 + Math.floor(random() * 30); left > 0; left--) {
        const partition = Math.floor(random() * PARTITIONS);
        records.push(record(partition, 'k', `${this.#number++} ${'x'.repeat(random() * 200)}`));
      }
      try {
        const offsets = await topic.append(records);
        for (const [index, { partition, value }] of records.entries()) {
          this.acknowledged.set(numberOf(value), `${partition}/${offsets[index]}`);
        }
      } catch {
        this.refused++;
      }
      await systemClock.sleep(random() * 4);
    }
  }
}

function numberOf(value: Uint8Array): string {
  return Buffer.from(value).toString().split(' ', 1)[0]!;
}

/** Reads all partitions on and on, as a processor does; what it saw, by partition. */
class Reading {
  readonly seen: { offset: number; number: string }[][];
  readonly #reader: Topic;
  #until: readonly number[] | null = null;
  readonly #workers: Promise<void>[];

  constructor(reader: Topic) {
    this.#reader = reader;
    this.seen = Array.from({ length: PARTITIONS }, () => []);
    this.#workers = this.seen.map((_, partition) => this.#work(partition));
  }

  /** Resolves when everything below these offsets has been read. */
  async finish(ends: readonly number[]): Promise<void> {
    this.#until = ends;
    await Promise.all(this.#workers);
  }

  async #work(partition: number): Promise<void> {
    for (let offset = 0; this.#until === null || offset < this.#until[partition]!; ) {
      const records = await this.#reader.read(partition, offset, 10_000);
      for (const one of records) {
        this.seen[partition]!.push({ offset: one.offset, number: numberOf(one.value) });
        offset = one.offset + 1;
      }
      if (records.length === 0) await systemClock.sleep(5);
    }
  }
}

describe('three brokers', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  let cluster: Cluster;
  before(async () => {
    kafka = await startKafka({ brokers: 3 });
    cluster = await connectTo(kafka);
  });
  after(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  /** Everything in the topic, by another client: `number` by `partition/offset`. */
  async function contents(topic: ReadyTopic): Promise<Map<string, string>> {
    const fresh = await connectTo(kafka);
    const reader = await openKafkaReader({ cluster: fresh, topic });
    const found = new Map<string, string>();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const { offset, value } of await readAll(reader, partition)) {
        found.set(`${partition}/${offset}`, numberOf(value));
      }
    }
    reader.close();
    await fresh.close();
    return found;
  }

  const faults: Record<string, (node: number) => Promise<void>> = {
    async 'a leader is killed and comes back'(node) {
      await kafka.kill(node);
      await systemClock.sleep(1500);
      await kafka.restart(node);
    },
    async 'a leader is shut down and comes back'(node) {
      await kafka.shutDown(node);
      await kafka.restart(node);
    },
    async 'a leader falls silent, and is itself again'(node) {
      kafka.suspend(node);
      await systemClock.sleep(12_000);
      kafka.resume(node);
    },
    async 'all brokers are killed, and come back'() {
      await Promise.all([1, 2, 3].map((each) => kafka.kill(each)));
      await Promise.all([1, 2, 3].map((each) => kafka.restart(each)));
    },
  };
  for (const [what, happens] of Object.entries(faults)) {
    it(`lose nothing and double nothing when ${what}`, async (t) => {
      const seed = randomInt(2 ** 31);
      t.diagnostic(`seed ${seed}`);
      const random = seededRandom(seed);
      const topic = await newTopic(cluster, { partitionCount: PARTITIONS });
      const opened = await openKafkaTopic({ cluster, topic });
      const writing = new Writing(opened, random);
      const reading = new Reading(opened);
      await systemClock.sleep(500 + random() * 500);
      await happens(cluster.leaderOf(topic.name, Math.floor(random() * PARTITIONS)));
      const before = writing.acknowledged.size;
      while (writing.acknowledged.size < before + 500) await systemClock.sleep(50);
      await writing.stop();

      const found = await contents(topic);
      const ends = topic.partitions.map((_, partition) => opened.endOffset(partition));
      await reading.finish(ends);
      await opened.close();
      t.diagnostic(`${writing.acknowledged.size} acknowledged, ${writing.refused} calls refused`);
      for (const [number, place] of writing.acknowledged) {
        assert.equal(found.get(place), number, `record ${number} at ${place}`);
      }
      const numbers = [...found.values()];
      assert.equal(new Set(numbers).size, numbers.length, 'a record is there twice');
      for (const [partition, seen] of reading.seen.entries()) {
        const wanted = [...found]
          .map(([place, number]) => ({ place: place.split('/').map(Number), number }))
          .filter(({ place }) => place[0] === partition && place[1]! < ends[partition]!)
          .map(({ place, number }) => ({ offset: place[1]!, number }));
        assert.deepEqual(seen, wanted, `partition ${partition} as it was read meanwhile`);
      }
    });
  }
});
