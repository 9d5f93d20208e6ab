/** A group's committed positions, once no transaction is open that might move them. */
import { offsetFetchV9 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import { Coordinator } from './coordinator.ts';

/** By partition; -1 where there is none. Asks again while a position is unstable. */
export async function committedOffsets(
  cluster: Cluster,
  groupId: string,
  topic: string,
  partitions: readonly number[],
  signal?: AbortSignal,
): Promise<Map<number, number>> {
  const coordinator = new Coordinator(cluster, 'group', groupId, 'offsets');
  const topics = [{ name: topic, partitionIndexes: [...partitions] }];
  const group = { groupId, memberId: null, memberEpoch: -1, topics };
  const { groups } = await cluster.retry(
    () => coordinator.call(offsetFetchV9.api, [group], true),
    signal,
  );
  const found = new Map(partitions.map((partition): [number, number] => [partition, -1]));
  for (const { partitions: ofTopic } of groups[0]!.topics) {
    for (const { partitionIndex, committedOffset } of ofTopic) {
      found.set(partitionIndex, Number(committedOffset));
    }
  }
  return found;
}
