/** Who owns which partition, and who stands by: balanced, sticky, and a copy goes before none. */

/** A member of the group, with what it says of itself. */
export interface Candidate {
  readonly id: string;
  /** What it owned in `generation`. */
  readonly owned: readonly number[];
  /** Of its newest assignment; -1 when it never had one. */
  readonly generation: number;
  /** Partitions that it has a copy of, with the position up to which each goes. */
  readonly copies: ReadonlyMap<number, number>;
}

export interface Share {
  owned: number[];
  standby: number[];
}

/** What a member has been given so far. */
interface Load {
  readonly member: Candidate;
  readonly owned: Set<number>;
  readonly standby: Set<number>;
}

/**
 * Gives every partition one owner and `standbys` copies on other members (as many as there are).
 * Members' counts differ by one at most. A partition stays where it is unless the balance forbids
 * it; one whose owner left goes to the member with the newest copy that has room for it.
 */
export function assign(
  partitionCount: number,
  members: readonly Candidate[],
  standbys: number,
): Map<string, Share> {
  const loads = [...members]
    .sort((one, other) => (one.id < other.id ? -1 : 1))
    .map((member): Load => ({ member, owned: new Set(), standby: new Set() }));
  if (loads.length > 0) {
    const owners = assignOwners(partitionCount, loads);
    assignStandbys(owners, loads, Math.min(standbys, loads.length - 1));
  }
  return new Map(
    loads.map(({ member, owned, standby }) => [
      member.id,
      { owned: sorted(owned), standby: sorted(standby) },
    ]),
  );
}

/** Returns each partition's owner. */
function assignOwners(partitionCount: number, loads: readonly Load[]): Load[] {
  const owners = claims(partitionCount, loads);
  const room = new Room(partitionCount, loads, ({ owned }) => owned.size);
  const claimed = (load: Load) => owners.flatMap((owner, at) => (owner === load ? [at] : []));
  // Those with most keep most, so that the fewest move.
  const wished = loads.map((load) => ({ load, partitions: claimed(load) }));
  wished.sort((one, other) => other.partitions.length - one.partitions.length);
  const poor = wished.filter(({ partitions }) => partitions.length < room.floor);
  // What goes is best what another, with less, has a copy of.
  const isWanted = (partition: number) =>
    poor.some(({ load }) => load.member.copies.has(partition));
  for (const { load, partitions } of wished) {
    const unwanted = partitions.filter((partition) => !isWanted(partition));
    for (const partition of [...unwanted, ...partitions.filter(isWanted)]) {
      if (room.take(load)) load.owned.add(partition);
      else owners[partition] = null;
    }
  }
  const orphans = owners
    .flatMap((owner, partition) => (owner === null ? [partition] : []))
    .map((partition) => ({ partition, holders: holdersOf(partition, loads) }));
  // The fewer copies there are of a partition, the sooner its turn comes.
  for (const { partition, holders } of orphans.sort(
    (a, b) => a.holders.length - b.holders.length,
  )) {
    const holder = holders.find((load) => room.take(load));
    if (holder === undefined) continue;
    holder.owned.add(partition);
    owners[partition] = holder;
  }
  for (const { partition } of orphans) {
    if (owners[partition] !== null) continue;
    const byLoad = [...loads].sort((one, other) => one.owned.size - other.owned.size);
    const load = byLoad.find((each) => room.take(each))!;
    load.owned.add(partition);
    owners[partition] = load;
  }
  return owners as Load[];
}

/** Who says that it owns each partition; of two the one with the newer assignment. */
function claims(partitionCount: number, loads: readonly Load[]): (Load | null)[] {
  const owners: (Load | null)[] = new Array(partitionCount).fill(null);
  for (const load of loads) {
    for (const partition of load.member.owned) {
      if (partition >= partitionCount) continue;
      const other = owners[partition]!;
      if (other === null || other.member.generation < load.member.generation) {
        owners[partition] = load;
      }
    }
  }
  return owners;
}

/** Members with a copy, the newest first. */
function holdersOf(partition: number, loads: readonly Load[]): Load[] {
  const positionOf = ({ member }: Load) => member.copies.get(partition) ?? -1;
  return loads
    .filter((load) => positionOf(load) >= 0)
    .sort((one, other) => positionOf(other) - positionOf(one) || one.owned.size - other.owned.size);
}

function assignStandbys(owners: readonly Load[], loads: readonly Load[], count: number): void {
  const missing = owners.map(() => count);
  const room = new Room(count * owners.length, loads, ({ standby }) => standby.size);
  const give = (partition: number, load: Load) => {
    load.standby.add(partition);
    missing[partition]!--;
  };
  for (const [partition, owner] of owners.entries()) {
    for (const holder of holdersOf(partition, loads)) {
      if (missing[partition] === 0) break;
      if (holder !== owner && room.take(holder)) give(partition, holder);
    }
  }
  // What one member owns is spread over the others, so that its end burdens them all alike.
  const beside = new Map(loads.map((load) => [load, new Map<Load, number>()]));
  for (const [partition, owner] of owners.entries()) {
    const shared = beside.get(owner)!;
    while (missing[partition]! > 0) {
      let best: Load | null = null;
      for (const load of loads) {
        if (load === owner || load.standby.has(partition)) continue;
        if (best === null || isLighter(load, best, shared)) best = load;
      }
      give(partition, best!);
      shared.set(best!, (shared.get(best!) ?? 0) + 1);
    }
  }
  level(owners, loads);
}

function isLighter(load: Load, than: Load, shared: ReadonlyMap<Load, number>): boolean {
  const difference = load.standby.size - than.standby.size;
  if (difference !== 0) return difference < 0;
  return (shared.get(load) ?? 0) < (shared.get(than) ?? 0);
}

/** Moves standby copies from those with most to those with fewest while they differ by more. */
function level(owners: readonly Load[], loads: readonly Load[]): void {
  for (;;) {
    const byLoad = [...loads].sort((one, other) => one.standby.size - other.standby.size);
    const move = findMove(owners, byLoad);
    if (move === null) return;
    move.from.standby.delete(move.partition);
    move.to.standby.add(move.partition);
  }
}

function findMove(owners: readonly Load[], byLoad: readonly Load[]) {
  for (const from of [...byLoad].reverse()) {
    for (const to of byLoad) {
      if (from.standby.size - to.standby.size < 2) break;
      for (const partition of from.standby) {
        if (owners[partition] !== to && !to.standby.has(partition)) return { from, to, partition };
      }
    }
  }
  return null;
}

/** Room for a number of things among members, of whom none gets over one more than another. */
class Room {
  readonly floor: number;
  readonly #sizeOf: (load: Load) => number;
  /** How many members may still have one more than the others. */
  #extra: number;

  constructor(count: number, loads: readonly Load[], sizeOf: (load: Load) => number) {
    this.floor = Math.floor(count / loads.length);
    this.#extra = count % loads.length;
    this.#sizeOf = sizeOf;
  }

  /** Whether this member may have another one, which it must then be given. */
  take(load: Load): boolean {
    const size = this.#sizeOf(load);
    if (size < this.floor) return true;
    if (size > this.floor || this.#extra === 0) return false;
    this.#extra--;
    return true;
  }
}

function sorted(numbers: ReadonlySet<number>): number[] {
  return [...numbers].sort((one, other) => one - other);
}
