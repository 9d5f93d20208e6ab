/** A thread that makes every user known to the system, then sends events at a steady rate. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { partitionOf } from '../../src/core/hash.ts';
import { ensureTopics } from '../../src/kafka/topics.ts';
import { type KafkaTopic, openKafkaTopic } from '../../src/log/kafka-topic.ts';
import type { NewRecord } from '../../src/log/log.ts';
import { connectTo } from '../../test/support/kafka-client.ts';

export interface LoadOptions {
  readonly bootstrapServers: string;
  readonly partitions: number;
  readonly users: number;
  readonly eventsPerSecond: number;
}

export interface SteadyLoad {
  /** Events that the brokers have acknowledged since it began to be steady, by the second. */
  stop(): Promise<number>;
}

const FIRST_BATCH_EVENTS = 1000;
const STEP_MS = 10;

/** Resolves once every user has an event in the log, and the steady load begins. */
export async function startSteadyLoad(options: LoadOptions): Promise<SteadyLoad> {
  const worker = new Worker(import.meta.filename, { workerData: options });
  await once(worker, 'message');
  return {
    stop: async () => {
      worker.postMessage('stop');
      const [perSecond] = (await once(worker, 'message')) as [number];
      await once(worker, 'exit');
      return perSecond;
    },
  };
}

async function run({ bootstrapServers, partitions, users, eventsPerSecond }: LoadOptions) {
  const cluster = await connectTo({ bootstrapServers });
  const plan = { name: 'user-events', partitionCount: partitions, appendTime: true };
  const [found] = await ensureTopics(cluster, [plan]);
  const topic = await openKafkaTopic({ cluster, topic: found!, follow: [] });
  let number = 0;
  const newEvent = (user: number): NewRecord => {
    const userId = `user-${user}`;
    const event = {
      ...{ eventId: `load-${number}`, userId, eventType: 'PAGE_VIEW', timestamp: Date.now() },
      ...{ page: `/products/${number++ % 500}`, referrer: 'https://search.example/results' },
      ...{ device: 'mobile', productId: `p${user % 500}`, category: 'shoes' },
    };
    const value = Buffer.from(JSON.stringify(event));
    return { partition: partitionOf(userId, partitions), key: userId, value };
  };
  for (let user = 0; user < users; user += FIRST_BATCH_EVENTS) {
    const count = Math.min(FIRST_BATCH_EVENTS, users - user);
    await topic.append(Array.from({ length: count }, (_, index) => newEvent(user + index)));
  }
  parentPort!.postMessage('begins');
  const perSecond = await sendSteadily(topic, eventsPerSecond, () =>
    newEvent(Math.floor(Math.random() * users)),
  );
  parentPort!.postMessage(perSecond);
  await topic.close();
  await cluster.close();
  parentPort!.close();
}

async function sendSteadily(topic: KafkaTopic, eventsPerSecond: number, next: () => NewRecord) {
  let isStopped = false;
  parentPort!.once('message', () => {
    isStopped = true;
  });
  const startMs = performance.now();
  const elapsedSeconds = () => (performance.now() - startMs) / 1000;
  let sent = 0;
  let acknowledged = 0;
  while (!isStopped) {
    const due = Math.floor(elapsedSeconds() * eventsPerSecond) - sent;
    if (due > 0) {
      const records = Array.from({ length: due }, next);
      sent += due;
      // Batches don't wait for each other; one that fails ends the thread, and with it the run.
      void topic.append(records).then(() => {
        acknowledged += due;
      });
    }
    await sleep(STEP_MS);
  }
  return acknowledged / elapsedSeconds();
}

if (!isMainThread) await run(workerData as LoadOptions);
