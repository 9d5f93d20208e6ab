/** What Java's own clients write, read and think of, against ours. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { initProducerIdV5 } from '@platformatic/kafka';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { partitionOf } from '../core/hash.ts';
import { BatchSender } from '../kafka/batch-sender.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { BatchBuilder } from '../kafka/record-batch.ts';
import type { ReadyTopic } from '../kafka/topics.ts';
import { type KafkaReader, openKafkaReader } from './kafka-reader.ts';
import { openKafkaTopic } from './kafka-topic.ts';
import { readAll, record } from './log.contract.ts';

const SUPPORT = join(import.meta.dirname, '../../test/support');
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

describe('beside the Java clients', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  let cluster: Cluster;
  let servers: string[];
  before(async () => {
    kafka = await startKafka();
    cluster = await connectTo(kafka);
    servers = ['--bootstrap-server', kafka.bootstrapServers];
  });
  after(async () => {
    await cluster?.close();
    await kafka?.stop();
  });

  /** `key=value` of each committed record of a partition, as Kafka's own consumer sees them. */
  async function consumed({ name }: ReadyTopic, partition: number): Promise<string[]> {
    const program = join(SUPPORT, 'CommittedRecords.java');
    const output = await kafka.tool(program, [kafka.bootstrapServers, name, `${partition}`]);
    return output.split('\n').slice(0, -1);
  }

  async function read(reader: KafkaReader, partition: number, maxBytes = 1 << 20) {
    const records = await readAll(reader, partition, 0, maxBytes);
    return records.map(({ key, value }) => `${key}=${Buffer.from(value).toString()}`);
  }

  it('gives 10,000 keys the partitions that the default partitioner gives them', async () => {
    const odd = ['a', 'ab', 'abc', 'abcd', 'ünï', '日本', '\u{1f600}', 'k'.repeat(500)];
    const keys = [...odd, ...Array.from({ length: 10_000 - odd.length }, (_, n) => `user-${n}`)];
    for (const partitions of [1, 8, 512]) {
      const program = join(SUPPORT, 'PartitionsOfKeys.java');
      const output = await kafka.tool(program, [`${partitions}`], `${keys.join('\n')}\n`);
      const wanted = output.trim().split('\n').map(Number);
      assert.deepEqual(
        keys.map((key) => partitionOf(key, partitions)),
        wanted,
      );
    }
  });

  for (const codec of CODECS) {
    it(`reads what the Java producer wrote, ${codec}`, async () => {
      const topic = await newTopic(cluster, { partitionCount: 1 });
      const lines = Array.from(
        { length: 3000 },
        (_, n) => `user-${n % 97}=value ${n} ${'é'.repeat(n % 50)}`,
      );
      const properties = ['parse.key=true', 'key.separator=='];
      await kafka.tool(
        'console-producer',
        [
          ...[...servers, '--topic', topic.name, '--compression-codec', codec],
          ...properties.flatMap((property) => ['--reader-property', property]),
        ],
        `${lines.join('\n')}\n`,
      );
      const reader = await openKafkaReader({ cluster, topic });
      assert.deepEqual(await read(reader, 0), lines);
      assert.deepEqual(await read(reader, 0, 100), lines);
      reader.close();
    });

    it(`is read by the Java consumer, ${codec}`, async () => {
      const topic = await newTopic(cluster, { partitionCount: 1 });
      const writer = await openKafkaTopic({ cluster, topic, compression: codec });
      const random = seededRandom(7);
      const lines = Array.from(
        { length: 8000 },
        (_, n) => `user-${n % 97}=${random()} of ${n} ${'x'.repeat(n % 300)}`,
      );
      const records = lines.map((line) => {
        const at = line.indexOf('=');
        return record(0, line.slice(0, at), line.slice(at + 1));
      });
      // More than a batch may hold, and then a few more.
      await Promise.all([
        writer.append(records.slice(0, 7990)),
        writer.append(records.slice(7990)),
      ]);
      await writer.close();
      assert.deepEqual(await consumed(topic, 0), lines);
    });
  }

  for (const codec of ['none', 'lz4'] as const) {
    it(`sees of interleaved transactions what Kafka's consumer sees, ${codec}`, async (t) => {
      const seed = randomInt(2 ** 31);
      t.diagnostic(`seed ${seed}`);
      const topic = await newTopic(cluster, { partitionCount: 2, appendTime: false });
      const script = transactionSteps(seededRandom(seed), 400);
      const program = join(SUPPORT, 'TransactionScript.java');
      const parameters = [kafka.bootstrapServers, topic.name, codec];
      await kafka.tool(program, parameters, `${script.join('\n')}\n`);
      const reader = await openKafkaReader({ cluster, topic });
      for (const partition of [0, 1]) {
        const wanted = await consumed(topic, partition);
        assert.ok(wanted.length > 20, `${wanted.length} records`);
        for (const maxBytes of [1 << 20, 200, 1]) {
          assert.deepEqual(
            await read(reader, partition, maxBytes),
            wanted,
            `${maxBytes} at a time`,
          );
        }
        // From every offset on, each with a fetch of its own.
        const all = await readAll(reader, partition);
        const end = reader.endOffset(partition);
        for (let from = 0; from < end; from++) {
          const [next] = await reader.read(partition, from, 1);
          assert.equal(next?.offset, all.find(({ offset }) => offset >= from)?.offset);
        }
      }
      reader.close();
    });
  }

  it('waits at the last stable offset while a transaction is open', async () => {
    const topic = await newTopic(cluster, { partitionCount: 1 });
    const writer = await openKafkaTopic({ cluster, topic });
    await writer.append([record(0, 'k', 'before')]);
    const transactionalId = `open-${topic.name}`;
    const begin = async () => {
      const node = await cluster.coordinator('transaction', transactionalId);
      return cluster.call(node, 'test', initProducerIdV5.api, transactionalId, 60_000, -1n, -1);
    };
    const { producerId, producerEpoch } = await cluster.retry(begin);
    const sender = new BatchSender({ cluster, lane: 'transactional', transactionalId });
    const builder = new BatchBuilder();
    builder.append('k', Buffer.from('never happened'));
    const stamp = { producerId, producerEpoch, baseSequence: 0, transactional: true };
    const batch = builder.seal({ stamp, timestampMs: Date.now() });
    const openOffset = await sender.send({ topic: topic.name, partition: 0, batch });

    const reader = await openKafkaReader({ cluster, topic });
    assert.equal(reader.endOffset(0), openOffset);
    assert.deepEqual(await read(reader, 0), ['k=before']);
    const behind = writer.append([record(0, 'k', 'behind')]);
    await behind;
    assert.equal(reader.endOffset(0), openOffset);
    assert.deepEqual(await reader.read(0, openOffset, 100), []);
    const moved = new Promise<void>((resolve) => reader.onAppend(() => resolve()));
    await cluster.retry(begin); // Aborts what its predecessor left open.
    await moved;
    assert.deepEqual(await read(reader, 0), ['k=before', 'k=behind']);
    reader.close();
    await writer.close();
  });
});

/** Three producers at once in two partitions; aborting follows aborting, and committing. */
function transactionSteps(random: () => number, count: number): string[] {
  const steps: string[] = [];
  const open = new Set<number>();
  const end = (producer: number) => {
    steps.push(`${random() < 0.6 ? 'abort' : 'commit'} ${producer}`);
    open.delete(producer);
  };
  for (let n = 0; n < count; n++) {
    const producer = Math.floor(random() * 3);
    if (!open.has(producer)) {
      steps.push(`begin ${producer}`);
      open.add(producer);
    }
    if (random() < 0.25) end(producer);
    else steps.push(`send ${producer} ${random() < 0.5 ? 0 : 1} user-${producer} value-${n}`);
  }
  for (const producer of open) end(producer);
  return steps;
}
