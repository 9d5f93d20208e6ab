/** Brings into being what services share: topics, database, tables. Safe to repeat. */
import type { Config } from '../config.ts';
import { openPostgresHistory } from '../history/postgres.ts';
import { ensureTopics } from '../kafka/topics.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { connectKafka, topicPlans } from './kafka.ts';

/** Says a line of each topic. Rejects with `topic_mismatch` when one is not as it must be. */
export async function initTopics(
  config: Config,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<string[]> {
  const cluster = await connectKafka(config, clock, logger, signal);
  try {
    const topics = await ensureTopics(cluster, topicPlans(config), signal);
    return topics.map(({ name, partitions }) => `topic ${name}: ${partitions.length} partitions`);
  } finally {
    await cluster.close();
  }
}

export async function initTables(
  config: Config,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const history = await openPostgresHistory({ url: config.databaseUrl, clock, logger, signal });
  await history.close();
}
