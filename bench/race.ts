/**
 * Lull against Kafka Streams: the same events in the same topic of the same broker, exactly once,
 * alternating; what both wrote is held against a naive reference, and what it cost is printed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type KafkaCluster, startKafka, unlessKafka } from '../test/support/kafka-broker.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { Cluster } from './race/cluster.ts';
import { type Contender, measure, type Run } from './race/contender.ts';
import {
  buildPeer,
  kafkaStreams,
  missingTool,
  type PeerOptions,
  TUNED,
} from './race/kafka-streams.ts';
import { type LoadOptions, makeLoad, spanMs } from './race/load.ts';
import { type LullVariant, lull } from './race/lull.ts';
import { type Reference, ReferencePartition, togetherOf } from './race/reference.ts';
import { type Finished, isEqual, resultOf, tableOf } from './race/report.ts';
import { judge, told } from './race/verdict.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    events: { type: 'string', default: '2000000' },
    users: { type: 'string', default: '50000' },
    partitions: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    'commit-ms': { type: 'string', default: '1000' },
    tiers: { type: 'string', default: '5m' },
    threads: { type: 'string', default: '1' },
    /** One contender alone, without a ratio: `lull` or `kafkaStreams`. */
    only: { type: 'string', default: '' },
    /** `alone`, as the peer is, or `redis`: with the live cache. */
    lull: { type: 'string', default: 'alone' },
    /** JSON over the tuned settings of the peer, each a contender of its own. */
    peer: { type: 'string', multiple: true, default: ['{}'] },
    'lull-env': { type: 'string', multiple: true, default: [] },
    'node-option': { type: 'string', multiple: true, default: [] },
  },
});
const INPUT = 'user-events';
const HOUR_MS = 3_600_000;

// What runs ends with this process; the servers see to it themselves.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const missing = missingTool() ?? unlessKafka();
if (missing) {
  console.error(`the race can't be run: ${missing} is missing`);
  process.exit(2);
}
buildPeer();
const load = loadOptions();
const kafka = await startKafka({ measured: true });
const redis = await startRedis();
const cluster = new Cluster(kafka.bootstrapServers);
try {
  await cluster.createTopic(INPUT, load.partitions);
  await cluster.preload(INPUT, makeLoad(load));
  const reference = referenceOf(load);
  const { closed, open, dropped } = reference;
  console.log(
    `${load.events} events: ${closed.length} closed sessions, ${open} open, ${dropped} late`,
  );
  const all: Finished[] = [];
  for (let round = 0; round < Number(values.runs); round++) {
    const those = contenders();
    for (const contender of round % 2 === 0 ? those : those.toReversed()) {
      all.push(await runOnce(contender, kafka, `race-${all.length}-`, reference));
    }
  }
  console.log(`\n${tableOf(all, load.events)}`);
  if (values.only === '') {
    const result = resultOf(all, load.events, reference);
    if (!result.equal) {
      console.log('\nThe race is void: not what the reference says.');
      process.exitCode = 1;
    }
    console.log(JSON.stringify(result));
  }
} finally {
  await cluster.close();
  await redis.dispose();
  await kafka.stop();
}

function contenders(): Contender[] {
  const peers = values.peer.map((json) => {
    const trial: Partial<PeerOptions> = JSON.parse(json);
    return kafkaStreams({ ...TUNED, ...trial }, json.replaceAll(/["{}]/g, ''));
  });
  const own = lull({
    variant: values.lull as LullVariant,
    redisUrl: redis.url,
    tiers: values.tiers,
    environment: Object.fromEntries(values['lull-env'].map((pair) => pair.split('=', 2))),
    nodeOptions: values['node-option'],
  });
  return [...peers, own].filter(({ name }) => [name, ''].includes(values.only));
}

async function runOnce(
  contender: Contender,
  { bootstrapServers, pidOf }: KafkaCluster,
  prefix: string,
  reference: Reference,
): Promise<Finished> {
  const folder = mkdtempSync(join(tmpdir(), 'lull-race-'));
  const run: Run = {
    ...{ cluster, bootstrapServers, prefix, folder, brokerPid: pidOf(1), inputTopic: INPUT },
    ...{ events: load.events, partitions: load.partitions },
    ...{ commitMs: Number(values['commit-ms']), threads: Number(values.threads) },
  };
  try {
    const [cost, outcome] = await measure(contender, run);
    const finished = { ...contender, cost, verdict: judge(reference, outcome) };
    const equal = isEqual(finished, reference) ? '' : ' (VOID)';
    console.log(
      `${contender.label}: ${Math.round(load.events / cost.cpuSeconds)} events/CPU s, ` +
        `${cost.cpuSeconds.toFixed(2)} s CPU, ${cost.wallSeconds.toFixed(2)} s wall, broker ` +
        `${cost.brokerCpuSeconds.toFixed(2)} s CPU, ${Math.round(cost.peakBytes / 1e6)} MB; ` +
        `${told(finished.verdict)}${equal}`,
    );
    return finished;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await cluster.deleteTopics((topic) => topic.startsWith(prefix));
  }
}

/** All of it lies in the past, but not long ago: brokers delete what is old by its own time. */
function loadOptions(): LoadOptions {
  const shape = {
    events: Number(values.events),
    users: Number(values.users),
    partitions: Number(values.partitions),
    seed: Number(values.seed),
    startMs: 0,
  };
  const latest = Date.now() - spanMs(shape) - HOUR_MS;
  return { ...shape, startMs: Math.floor(latest / HOUR_MS) * HOUR_MS };
}

function referenceOf(options: LoadOptions): Reference {
  const partitions = Array.from({ length: options.partitions }, () => new ReferencePartition());
  for (const { partition, userId, timeMs } of makeLoad(options)) {
    partitions[partition]!.apply(userId, timeMs);
  }
  return togetherOf(partitions);
}
