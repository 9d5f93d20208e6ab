/** A partition's records and deadline index in the database, the same in every store. */
import type { Batch, Database } from './database.ts';
import {
  deadlineEntry,
  deadlineKey,
  deadlineStart,
  prefixEnd,
  STATE_PREFIX_BYTES,
  stateKey,
} from './keys.ts';
import type { DeadlineEntry, PartitionCommit } from './state.ts';

const EMPTY = Buffer.alloc(0);

export function getMany(
  database: Database,
  partition: number,
  keys: readonly Uint8Array[],
): Promise<(Buffer | null)[]> {
  return database.getMany(keys.map((key) => stateKey(partition, key)));
}

export async function dueUsers(
  database: Database,
  partition: number,
  after: DeadlineEntry | null,
  untilMinute: number,
  limit: number,
): Promise<DeadlineEntry[]> {
  const entries: DeadlineEntry[] = [];
  const start = deadlineStart(partition, after);
  const end = deadlineKey(partition, untilMinute + 1);
  if (limit <= 0 || start.compare(end) >= 0) return entries;
  for await (const { key } of database.entries(start, end, limit)) {
    entries.push(deadlineEntry(key));
  }
  return entries;
}

export async function* scan(database: Database, partition: number, prefix: Uint8Array) {
  const start = stateKey(partition, prefix);
  for await (const { key, value } of database.entries(start, prefixEnd(start))) {
    yield { key: key.subarray(STATE_PREFIX_BYTES), value };
  }
}

/** Puts a commit's records and deadlines into a batch. */
export function collect(batch: Batch, { partition, writes, deadlines }: PartitionCommit): void {
  for (const { key, value } of writes) {
    if (value === null) batch.delete(stateKey(partition, key));
    else batch.put(stateKey(partition, key), value);
  }
  for (const { userId, fromMinute, toMinute } of deadlines) {
    if (fromMinute === toMinute) continue;
    if (fromMinute !== null) batch.delete(deadlineKey(partition, fromMinute, userId));
    if (toMinute !== null) putDeadline(batch, partition, toMinute, userId);
  }
}

/** `userId`: also as its UTF-8 bytes. */
export function putDeadline(
  batch: Batch,
  partition: number,
  minute: number,
  userId: string | Uint8Array,
): void {
  batch.put(deadlineKey(partition, minute, userId), EMPTY);
}

/** Deletes everything that a partition has. */
export function wipe(batch: Batch, partition: number): void {
  batch.deleteRange(stateKey(partition, EMPTY), prefixEnd(stateKey(partition, EMPTY)));
  const start = deadlineKey(partition, 0);
  batch.deleteRange(start, prefixEnd(start.subarray(0, STATE_PREFIX_BYTES)));
}

/** Throws where a commit makes no sense: a partition that there is not, or one that comes twice. */
export function checkPartitions(commits: readonly PartitionCommit[], partitionCount: number): void {
  const seen = new Set<number>();
  for (const { partition } of commits) {
    if (!(partition < partitionCount)) throw new RangeError(`no partition ${partition}`);
    if (seen.has(partition)) throw new Error(`partition ${partition} comes twice`);
    seen.add(partition);
  }
}
