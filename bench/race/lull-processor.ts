/**
 * The session-processor as `lull run` has it, but without a live cache: what the peer does too,
 * and nothing more.
 */
import { loadConfig } from '../../src/config.ts';
import { ensureTopics } from '../../src/kafka/topics.ts';
import type { Live } from '../../src/live/live.ts';
import { openKafkaTopic } from '../../src/log/kafka-topic.ts';
import { connectKafka, namesOf, topicPlans } from '../../src/modes/kafka.ts';
import { startProcessor } from '../../src/modes/processor-service.ts';
import type { Parts } from '../../src/modes/service-parts.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { Lifecycle } from '../../src/ops/lifecycle.ts';
import { createLogger } from '../../src/ops/logger.ts';
import { createMetrics } from '../../src/ops/metrics.ts';

const NO_LIVE: Live = {
  publish: async () => true,
  publishedPosition: async () => null,
  refill: async () => true,
  onRefillNeeded: () => () => {},
  get: async () => null,
  session: async () => null,
  list: async () => ({ items: [], nextCursor: null }),
  size: async () => 0,
  onChange: () => () => {},
  close: async () => {},
};

const { config } = loadConfig({});
const clock = systemClock;
const logger = createLogger(config.logLevel);
const lifecycle = new Lifecycle(clock, logger, 30_000);
lifecycle.stopOnSignals();
const { signal } = lifecycle;
const cluster = await connectKafka(config, clock, logger, signal);
lifecycle.add('kafka', () => cluster.close());
const ready = await ensureTopics(cluster, topicPlans(config), signal);
const [input, sessions, late, rejected, changelog] = ready.map((topic) => topic!);
const events = await openKafkaTopic({ cluster, topic: input!, follow: [] }, signal);
lifecycle.add('log', () => events.close());
// Only what a processor asks for.
const parts = {
  ...{ config, clock, logger, lifecycle, cluster, events, names: namesOf(config) },
  ...{ metrics: createMetrics(), url: 'http://127.0.0.1:0', live: NO_LIVE, setHeld: () => {} },
  topics: {
    ...{ events: input!, sessions: sessions!, late: late! },
    ...{ rejected: rejected!, changelog: changelog! },
  },
} as unknown as Parts;
const { join, leave } = await startProcessor(parts);
lifecycle.add('service', leave!);
await Promise.race([join!(), lifecycle.stopped]);
await lifecycle.stop();
