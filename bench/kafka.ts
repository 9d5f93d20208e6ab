/**
 * What Kafka costs its client: CPU seconds per million simulated events, encoded and produced,
 * fetched and decoded, by codec: `node bench/kafka.ts`. Starts a broker; takes about a minute.
 */
import { parseArgs } from 'node:util';
import { partitionOf } from '../src/core/hash.ts';
import type { Compression } from '../src/kafka/compression.ts';
import type { KafkaTopic } from '../src/log/kafka-topic.ts';
import { openKafkaTopic } from '../src/log/kafka-topic.ts';
import type { NewRecord } from '../src/log/log.ts';
import { planLoad } from '../src/services/event-producer/load.ts';
import { takeBefore } from '../src/services/event-producer/real-time.ts';
import { eventJson } from '../src/services/event-producer/shop-event.ts';
import { Shoppers } from '../src/services/event-producer/shoppers.ts';
import { startKafka } from '../test/support/kafka-broker.ts';
import { connectTo, newTopic } from '../test/support/kafka-client.ts';

const { values } = parseArgs({
  options: {
    codecs: { type: 'string', default: 'none,lz4,snappy,zstd' },
    events: { type: 'string', default: '1000000' },
    partitions: { type: 'string', default: '8' },
    call: { type: 'string', default: '1000' },
  },
});
const EVENTS = Number(values.events);
const PARTITIONS = Number(values.partitions);
const CALL_RECORDS = Number(values.call);
const CALLS_AT_ONCE = 16;
const READ_BYTES = 512 * 1024;
/** Simulated events that are sent again and again. */
const POOL = 200_000;

function simulatedRecords(): NewRecord[] {
  const load = planLoad({ users: 20_000 });
  const startMs = Date.UTC(2026, 0, 1);
  return takeBefore(new Shoppers(1, startMs, load), Infinity, POOL).map(({ event }) => ({
    partition: partitionOf(event.userId, PARTITIONS),
    key: event.userId,
    value: Buffer.from(eventJson(event)),
  }));
}

async function produceAll(topic: KafkaTopic, pool: readonly NewRecord[]): Promise<number> {
  let sent = 0;
  const worker = async () => {
    while (sent < EVENTS) {
      const at = sent % pool.length;
      sent += CALL_RECORDS;
      await topic.append(pool.slice(at, at + CALL_RECORDS));
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
  return sent;
}

async function readAll(topic: KafkaTopic): Promise<number> {
  let records = 0;
  const worker = async (partition: number) => {
    for (let offset = 0; ; ) {
      const some = await topic.read(partition, offset, READ_BYTES);
      if (some.length === 0) return;
      records += some.length;
      offset = some.at(-1)!.offset + 1;
    }
  };
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => worker(partition)));
  return records;
}

async function measure(work: () => Promise<number>) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const records = await work();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpu: ((user + system) / records).toFixed(2),
    wall: `${Math.round(records / seconds / 1000)}k/s`,
  };
}

/** What the broker keeps on its disk of a topic. */
async function storedBytes(topic: string): Promise<number> {
  const output = await kafka.tool('org.apache.kafka.tools.LogDirsCommand', [
    ...['--bootstrap-server', kafka.bootstrapServers, '--describe', '--topic-list', topic],
  ]);
  return [...output.matchAll(/"size":(\d+)/g)].reduce((sum, [, size]) => sum + Number(size), 0);
}

const kafka = await startKafka();
try {
  const pool = simulatedRecords();
  const bytes = pool.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  console.log(`records of ${Math.round(bytes / pool.length)} bytes, ${PARTITIONS} partitions`);
  const rows = [];
  // The first one warms the code up, and doesn't count.
  for (const codec of ['none', ...values.codecs.split(',')]) {
    const cluster = await connectTo(kafka);
    const topic = await newTopic(cluster, { partitionCount: PARTITIONS });
    const options = { cluster, topic, compression: codec as Compression };
    const writer = await openKafkaTopic(options);
    const produced = await measure(() => produceAll(writer, pool));
    await writer.close();
    const reader = await openKafkaTopic(options);
    const fetched = await measure(() => readAll(reader));
    await reader.close();
    rows.push({
      codec,
      'bytes a record': (await storedBytes(topic.name)) / EVENTS,
      'produce, CPU s/M': produced.cpu,
      'produce, wall': produced.wall,
      'fetch, CPU s/M': fetched.cpu,
      'fetch, wall': fetched.wall,
    });
    await cluster.close();
  }
  console.table(rows.slice(1));
} finally {
  await kafka.stop();
}
