/** Brokers that are away, too old or unwilling; topics that are missing or don't fit. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { type KafkaCluster, startKafka, unlessKafka } from '../../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../../test/support/kafka-client.ts';
import { systemClock } from '../ops/clock.ts';
import { type Cluster, connectCluster } from './cluster.ts';
import { ensureTopics } from './topics.ts';

describe('a cluster', { skip: unlessKafka() }, () => {
  let kafka: KafkaCluster;
  before(async () => {
    kafka = await startKafka();
  });
  after(() => kafka?.stop());

  const options = () => ({
    bootstrapServers: kafka.bootstrapServers,
    clientId: 'lull-test',
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });

  it('is waited for when it is not there, with a line, and told when it is back', async () => {
    await kafka.kill(1);
    const lines: string[] = [];
    const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) });
    const connecting = connectTo(kafka, logger);
    while (lines.length === 0) await systemClock.sleep(50);
    await kafka.restart(1);
    const cluster = await connecting;
    await cluster.close();
    const said = lines.map((line) => JSON.parse(line) as { msg: string; reason?: string });
    assert.deepEqual(
      said.map(({ msg }) => msg),
      [`Kafka at ${kafka.bootstrapServers} does not serve: waiting for it`, 'Kafka serves again'],
    );
    assert.match(said[0]!.reason!, /ECONNREFUSED/);
  });

  it('can be given up', async () => {
    const giveUp = new AbortController();
    const nowhere = { ...options(), bootstrapServers: '127.0.0.1:1' };
    const connecting = connectCluster(nowhere, giveUp.signal);
    giveUp.abort(new Error('enough'));
    await assert.rejects(connecting, /enough/);
  });

  it('that takes no credentials, or no TLS, refuses once and for all', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'lull', password: 'wrong' } as const;
    for (const wrong of [{ sasl }, { tls: {} }]) {
      const connecting = connectCluster({ ...options(), ...wrong });
      await assert.rejects(connecting, { code: 'kafka_refused' });
    }
  });

  it('makes topics for several at once, and refuses those that do not fit', async () => {
    const cluster = await connectTo(kafka);
    const plan = { name: 'at-once', partitionCount: 5, compacted: true };
    const made = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const own = await connectTo(kafka);
        const [topic] = await ensureTopics(own, [plan]);
        await own.close();
        return topic!;
      }),
    );
    assert.equal(new Set(made.map(({ topicId }) => topicId)).size, 1);
    assert.equal(made[0]!.partitions.length, 5);
    const described = await kafka.tool('topics', [
      ...['--bootstrap-server', kafka.bootstrapServers, '--describe', '--topic', plan.name],
    ]);
    for (const setting of [
      'cleanup.policy=compact',
      'delete.retention.ms=604800000',
      'segment.bytes=67108864',
      'min.cleanable.dirty.ratio=0.1',
      'min.insync.replicas=1',
    ]) {
      assert.ok(described.includes(setting), `${setting} in ${described}`);
    }
    const misfits = [
      [{ ...plan, partitionCount: 4 }, /at-once has 5 partitions, not 4/],
      [{ ...plan, compacted: false }, /cleanup.policy=compact, not delete/],
      [{ ...plan, appendTime: true }, /CreateTime, not LogAppendTime/],
      [{ name: 'new', partitionCount: 1, replication: 3 }, /can't have 3 replicas: 1 broker/],
      [{ name: 'new/name', partitionCount: 1 }, /new\/name/],
    ] as const;
    for (const [misfit, message] of misfits) {
      await assert.rejects(ensureTopics(cluster, [misfit]), { code: 'topic_mismatch', message });
    }
    await cluster.close();
  });

  it('without transactions of version 2 is refused', async () => {
    const level = async (version: number) => {
      await kafka.tool('org.apache.kafka.tools.FeatureCommand', [
        ...['--bootstrap-server', kafka.bootstrapServers],
        ...[version < 2 ? 'downgrade' : 'upgrade', '--feature', `transaction.version=${version}`],
      ]);
    };
    await level(1);
    const message = `Kafka at ${kafka.bootstrapServers} has no transactions of version 2 (found: transaction.version 1)`;
    await assert.rejects(connectTo(kafka), { code: 'kafka_too_old', message });
    await level(2);
    await (await connectTo(kafka)).close();
  });

  it('ends what waits for it when it is closed', async () => {
    const cluster: Cluster = await connectTo(kafka);
    const topic = await newTopic(cluster);
    const endless = cluster.retry(async () => {
      throw new AggregateError([], 'not yet');
    });
    const ended = assert.rejects(endless, { code: 'log_closed' });
    await cluster.close();
    await ended;
    await assert.rejects(cluster.refresh(topic.name));
  });
});
