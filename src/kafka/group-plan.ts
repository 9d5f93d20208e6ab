/** What a group's leader gives its members, and how a group is seen from outside. */
import { describeGroupsV5 } from '@platformatic/kafka';
import { assign } from './assignor.ts';
import type { Cluster } from './cluster.ts';
import {
  decodeMember,
  decodeShare,
  type MemberInfo,
  type MemberShare,
  type Writers,
} from './membership.ts';

/** Shares by member id. */
export function planShares(
  partitionCount: number,
  members: ReadonlyMap<string, MemberInfo>,
  standbys: number,
): Map<string, MemberShare> {
  const candidates = [...members].map(([id, { owned, generation, copies }]) => {
    return { id, owned, generation, copies };
  });
  const plan = assign(partitionCount, candidates, standbys);
  const before = newestWriters([...members.values()]);
  const writers = new Map(before);
  for (const [id, { owned }] of plan) {
    const { transactionalId } = members.get(id)!;
    if (transactionalId === null) continue;
    for (const partition of owned) writers.set(partition, transactionalId);
  }
  const present = new Set([...members.values()].map(({ transactionalId }) => transactionalId));
  const shares = [...plan].map(([id, { owned, standby }]): [string, MemberShare] => {
    const last = owned.map((partition) => before.get(partition));
    const gone = last.filter((writer) => writer !== undefined && !present.has(writer));
    return [id, { owned, standby, predecessors: [...new Set(gone as string[])], writers }];
  });
  return new Map(shares);
}

function newestWriters(members: readonly MemberInfo[]): Writers {
  const byGeneration = [...members].sort((one, other) => other.generation - one.generation);
  return byGeneration[0]?.writers ?? new Map();
}

export interface GroupMember {
  readonly info: MemberInfo;
  /** null while a rebalance goes on. */
  readonly share: MemberShare | null;
}

/** The group's members as its coordinator knows them; one attempt. */
export async function describeGroup(cluster: Cluster, groupId: string): Promise<GroupMember[]> {
  const node = await cluster.coordinator('group', groupId);
  const { groups } = await cluster.call(node, 'control', describeGroupsV5.api, [groupId], false);
  return groups[0]!.members
    .filter(({ memberMetadata }) => memberMetadata.length > 0)
    .map(({ memberMetadata, memberAssignment }) => ({
      info: decodeMember(memberMetadata),
      share: decodeShare(memberAssignment),
    }));
}
