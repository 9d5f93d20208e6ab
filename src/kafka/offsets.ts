/** Where partitions begin and end, and which record came first after a time. */
import { listOffsetsV9, ResponseError } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import { responseError } from './cluster.ts';
import { CODE } from './failure.ts';

/** For `timestampMs`. */
export const EARLIEST = -2;
export const LATEST = -1;

/** `committed`: up to the last stable offset; `uncommitted`: up to the high watermark. */
export type Isolation = 'committed' | 'uncommitted';

/**
 * The first offset at or after a time, or the earliest or latest one, by partition; -1 where no
 * record is that young. Asks again while a leader is away.
 */
export async function listOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  timestampMs: number,
  isolation: Isolation,
  signal?: AbortSignal,
): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  let missing = partitions;
  await cluster.retry(async () => {
    await cluster.topic(topic);
    const byLeader = Map.groupBy(missing, (partition) => cluster.leaderOf(topic, partition));
    const asked = [...byLeader].map(([leader, ofLeader]) =>
      leader < 0
        ? Promise.reject(responseError(listOffsetsV9.api, CODE.leaderNotAvailable))
        : ask(cluster, leader, { topic, partitions: ofLeader, timestampMs, isolation }, found),
    );
    const outcomes = await Promise.allSettled(asked);
    missing = partitions.filter((partition) => !found.has(partition));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    await cluster.refresh(topic);
    throw failed.reason;
  }, signal);
  return found;
}

interface Question {
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly timestampMs: number;
  readonly isolation: Isolation;
}

type Answer = Awaited<ReturnType<typeof listOffsetsV9.api.async>>;

async function ask(
  cluster: Cluster,
  leader: number,
  { topic, partitions, timestampMs, isolation }: Question,
  found: Map<number, number>,
): Promise<void> {
  const wanted = partitions.map((partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: BigInt(timestampMs),
  }));
  const level = isolation === 'committed' ? 1 : 0;
  const topics = [{ name: topic, partitions: wanted }];
  try {
    collect(await cluster.call(leader, 'offsets', listOffsetsV9.api, -1, level, topics), found);
  } catch (error) {
    if (error instanceof ResponseError) collect(error['response'] as Answer, found);
    throw error;
  }
}

function collect({ topics }: Answer, found: Map<number, number>): void {
  for (const { partitionIndex, errorCode, offset } of topics[0]!.partitions) {
    if (errorCode === CODE.none) found.set(partitionIndex, Number(offset));
  }
}
