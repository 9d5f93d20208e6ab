/**
 * session-analytics in a process of its own, to be killed: brings a topic that a seed makes into
 * PostgreSQL, and ends when it is all there. Parameters: URL, seed.
 */
import { partitionOf } from '../../src/core/hash.ts';
import type { SentRecord } from '../../src/core/output.ts';
import { openPostgresHistory } from '../../src/history/postgres.ts';
import { systemClock as clock } from '../../src/ops/clock.ts';
import { startSessionAnalytics } from '../../src/services/session-analytics/session-analytics.ts';
import { closed, merged, TIME_0_MS } from './history-records.ts';
import { MemoryTopic } from './memory-topic.ts';
import { seededRandom } from './seeded-random.ts';

const PARTITIONS = 4;
const USERS = 120;
const RECORDS = 5000;
/** So that a batch is about 550 records. */
const PAGE = '/'.padEnd(3000, 'x');

/** What the processor would have sent: each user's sessions, amended, opened again, absorbed. */
export function sentRecords(seed: number): SentRecord[] {
  const random = seededRandom(seed);
  const revisions = new Map<string, number>();
  return Array.from({ length: RECORDS }, (_, n) => {
    const userId = `user-${Math.floor(random() * USERS)}`;
    const number = Math.floor(random() * 12);
    const sessionId = `${userId}/${number}`;
    const revision = (revisions.get(sessionId) ?? 0) + 1;
    revisions.set(sessionId, revision);
    const kind = random();
    if (kind < 0.05) return { ...merged(sessionId, `${userId}/${number + 1}`, revision), userId };
    const endMs = TIME_0_MS + Math.floor((n / RECORDS) * 7_200_000 + random() * 600_000);
    const endTime = new Date(endMs).toISOString();
    return closed(sessionId, revision, {
      ...{ userId, startTime: endTime, endTime, entryPage: PAGE },
      state: kind < 0.1 ? 'active' : revision === 1 ? 'closed' : 'amended',
      durationSeconds: Math.floor(random() * 3e6) / 1000,
      eventCount: Math.ceil(random() * 40),
      hasConversion: random() < 0.2,
      revenue: random() < 0.2 ? { EUR: Math.floor(random() * 1e5) / 100 } : {},
      eventCounts: { CLICK: Math.ceil(random() * 9) },
    });
  });
}

export async function topicOf(seed: number): Promise<MemoryTopic> {
  const options = { name: 'sessions', logId: `log-${seed}`, partitionCount: PARTITIONS, clock };
  const topic = new MemoryTopic(options);
  const records = sentRecords(seed).map((record) => ({
    partition: partitionOf(record.userId, PARTITIONS),
    key: record.userId,
    value: Buffer.from(JSON.stringify(record)),
  }));
  await topic.append(records);
  return topic;
}

async function main(url: string, seed: number): Promise<void> {
  const history = await openPostgresHistory({ url, clock });
  const analytics = startSessionAnalytics({
    topic: await topicOf(seed),
    history,
    clock,
    retainSessionsMs: 365 * 86_400_000 * 100,
  });
  process.stdout.write('started\n');
  analytics.assign(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  await analytics.waitApplied();
  await analytics.close();
  await history.close();
}

const [url, seed] = process.argv.slice(2);
if (import.meta.main && url !== undefined) await main(url, Number(seed));
