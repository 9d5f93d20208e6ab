/** The log on a real Kafka: the contract, and what brokers and other writers may do to it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { systemClock } from '../ops/clock.ts';
import { openKafkaReader } from './kafka-reader.ts';
import { openKafkaTopic } from './kafka-topic.ts';
import { readAll, record, topicContract, topicReaderContract } from './log.contract.ts';

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

  it('refuses a record that is too large, or none at all, and no other', async () => {
    const topic = await newTopic(cluster, { maxBatchBytes: 100_000 });
    const opened = await openKafkaTopic({ cluster, topic });
    const calls = Array.from({ length: 50 }, (_, n) => [record(0, 'k', `good ${n}`)]);
    calls[20] = [record(0, 'k', 'beside it'), record(0, 'k', Buffer.alloc(100_000))];
    calls[30] = [{ partition: 0, key: 'k', value: undefined as unknown as Uint8Array }];
    const outcomes = await Promise.allSettled(calls.map((records) => opened.append(records)));
    const refused = outcomes.flatMap((outcome, n) => (outcome.status === 'rejected' ? [n] : []));
    assert.deepEqual(refused, [20, 30]);
    await assert.rejects(opened.append(calls[20]), { code: 'record_too_large' });
    const values = (await readAll(opened, 0)).map(({ value }) => Buffer.from(value).toString());
    const good = calls.map((_, n) => `good ${n}`).filter((_, n) => n !== 20 && n !== 30);
    assert.deepEqual(values, good);
    await opened.close();
  });

  it('refuses what would wait for a broker that is away for too long, and reads on later', async (t) => {
    const own = await startKafka();
    t.after(() => own.stop());
    const away = await connectTo(own);
    t.after(() => away.close());
    const topic = await newTopic(away);
    const opened = await openKafkaTopic({ cluster: away, topic, patienceMs: 1000 });
    t.after(() => opened.close());
    await opened.append([record(0, 'k', 'before')]);
    await own.kill(1);
    await assert.rejects(opened.append([record(0, 'k', 'meanwhile')]), { code: 'log_unavailable' });
    // One record at a time: what was refused may have come by the time of the answer.
    const waiting = opened.read(0, 0, 1);
    await own.restart(1);
    assert.equal((await waiting).length, 1);
    // What was refused was not given up: it may come, once, and does not get lost in silence.
    const reappend = async (): Promise<void> => {
      try {
        await opened.append([record(0, 'k', 'after')]);
      } catch {
        await reappend();
      }
    };
    await reappend();
    const values = (await readAll(opened, 0)).map(({ value }) => Buffer.from(value).toString());
    assert.deepEqual(values.slice(0, 2), ['before', 'meanwhile']);
    assert.ok(values.slice(2).every((value) => value === 'after') && values.length > 2);
  });

  it('ends reads that wait when it is closed', async () => {
    const topic = await newTopic(cluster);
    const opened = await openKafkaTopic({ cluster, topic });
    const [offset] = await opened.append([record(0, 'k', 'v')]);
    const reader = await openKafkaReader({ cluster, topic });
    // Told of a record that nobody can fetch yet.
    reader.moveEnd(0, offset! + 2);
    const waiting = assert.rejects(reader.read(0, offset! + 1, 100), { code: 'log_closed' });
    const straying = assert.rejects(reader.read(0, offset! + 1, 100), { code: 'log_closed' });
    await systemClock.sleep(100);
    reader.close();
    await Promise.all([waiting, straying]);
    await opened.close();
  });

  it('stops reading once the topic has grown', async () => {
    const topic = await newTopic(cluster, { partitionCount: 2 });
    const reader = await openKafkaReader({ cluster, topic, checkMs: 0 });
    reader.moveEnd(0, 1);
    const waiting = reader.read(0, 0, 100);
    const refused = assert.rejects(waiting, {
      code: 'topic_mismatch',
      message: `the topic ${topic.name} has 5 partitions, not 2, while it is in use`,
    });
    await kafka.tool('topics', [
      ...['--bootstrap-server', kafka.bootstrapServers, '--alter'],
      ...['--topic', topic.name, '--partitions', '5'],
    ]);
    await refused;
    reader.close();
  });

  it('stops reading once the topic is another one of the same name', async () => {
    const topic = await newTopic(cluster);
    const opened = await openKafkaTopic({ cluster, topic });
    const [offset] = await opened.append([record(0, 'k', 'v')]);
    assert.equal((await opened.read(0, 0, 100)).length, 1);
    const change = (...parameters: string[]) =>
      kafka.tool('topics', [
        ...['--bootstrap-server', kafka.bootstrapServers, '--topic', topic.name],
        ...parameters,
      ]);
    await change('--delete');
    await change('--create', '--partitions', '3');
    for (;;) {
      try {
        await opened.read(0, offset! + 1, 100);
        await systemClock.sleep(50);
        // As if told of a further record: otherwise there is nothing to read.
        await opened.append([record(0, 'k', 'v')]);
      } catch (error) {
        assert.equal((error as { code: string }).code, 'topic_mismatch');
        break;
      }
    }
    await opened.close();
  });
});
