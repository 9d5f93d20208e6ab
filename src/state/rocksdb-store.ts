/** The state store on RocksDB: one database a process, one batch a commit, outputs inside it. */
import { randomUUID } from 'node:crypto';
import { LullError } from '../errors.ts';
import type { TopicReader } from '../log/log.ts';
import { type Clock, systemClock } from '../ops/clock.ts';
import { type Batch, Database } from './database.ts';
import { META_RANGE, metaKey, metaName } from './keys.ts';
import { OutputTopic } from './output-topic.ts';
import { checkPartitions, collect, dueUsers, getMany, scan } from './partition-data.ts';
import type { Checkpoint, DeadlineEntry, PartitionCommit, StateStore } from './state.ts';

const FORMAT = '1';

export interface RocksStoreOptions {
  readonly directory: string;
  /** Fixed for the life of the folder. */
  readonly partitionCount: number;
  /** Topics that commits may write to; more may be added later. */
  readonly outputTopics: readonly string[];
  /** Gives outputs their time of arrival. */
  readonly clock?: Clock;
}

/** What is kept about a partition: its checkpoint and the end of each topic it writes to. */
interface PartitionMeta extends Omit<Checkpoint, 'clockMs'> {
  /** JSON has no -Infinity. */
  readonly clockMs: number | null;
  readonly endOffsets: Readonly<Record<string, number>>;
}

/**
 * Opens the store in a folder, making it when there is none. Rejects with `data_locked` when
 * another process has it, `data_mismatch` when it was made with other settings, and
 * `data_unwritable`, `disk_full`, `library_missing` or `log_corrupt` for what they say.
 *
 * After a write has failed (a full disk) every further write rejects with the same error: whether
 * that batch counts is known only once the folder has been opened again.
 */
export async function openRocksStore(options: RocksStoreOptions): Promise<StateStore> {
  const database = await Database.open(options.directory);
  try {
    const meta = await readMeta(database);
    await checkFolder(database, meta, options);
    const topics = await openTopics(database, meta, options);
    return new RocksStore(database, meta, topics, options);
  } catch (error) {
    await database.close();
    throw error;
  }
}

class RocksStore implements StateStore {
  readonly #database: Database;
  readonly #topics: ReadonlyMap<string, OutputTopic>;
  readonly #clock: Clock;
  /** As committed. */
  readonly #partitions = new Map<number, PartitionMeta>();
  readonly #partitionCount: number;
  #position: number;

  constructor(
    database: Database,
    meta: ReadonlyMap<string, string>,
    topics: ReadonlyMap<string, OutputTopic>,
    options: RocksStoreOptions,
  ) {
    this.#database = database;
    this.#topics = topics;
    this.#clock = options.clock ?? systemClock;
    this.#position = Number(meta.get('position') ?? 0);
    this.#partitionCount = options.partitionCount;
    for (let partition = 0; partition < options.partitionCount; partition++) {
      const text = meta.get(`partition/${partition}`);
      if (text !== undefined) this.#partitions.set(partition, JSON.parse(text));
    }
  }

  async open(partition: number): Promise<Checkpoint | null> {
    const meta = this.#partitions.get(partition);
    if (meta === undefined) return null;
    const { logId, nextOffset, clockMs } = meta;
    return { logId, nextOffset, clockMs: clockMs ?? Number.NEGATIVE_INFINITY };
  }

  getMany(partition: number, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    return getMany(this.#database, partition, keys);
  }

  dueUsers(
    partition: number,
    after: DeadlineEntry | null,
    untilMinute: number,
    limit: number,
  ): Promise<DeadlineEntry[]> {
    return dueUsers(this.#database, partition, after, untilMinute, limit);
  }

  scan(partition: number, prefix: Uint8Array) {
    return scan(this.#database, partition, prefix);
  }

  async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    checkPartitions(commits, this.#partitionCount);
    let operations = 1;
    for (const { writes, deadlines, outputs } of commits) {
      for (const { topic } of outputs) this.#topic(topic);
      operations += writes.length + 2 * deadlines.length + outputs.length + 1;
    }
    let position = 0;
    await this.#database.write(
      operations,
      (batch) => {
        position = this.#position + 1;
        batch.put(metaKey('position'), Buffer.from(String(position)));
        return commits.map((commit) => this.#collect(batch, commit));
      },
      (metas) => {
        this.#position = position;
        for (const [index, meta] of metas.entries()) this.#apply(commits[index]!.partition, meta);
      },
    );
    return commits.map(() => position);
  }

  position(): number {
    return this.#position;
  }

  async sync(): Promise<ReadonlyMap<number, number>> {
    const committed = [...this.#partitions];
    await this.#database.sync();
    return new Map(committed.map(([partition, { nextOffset }]) => [partition, nextOffset]));
  }

  topic(name: string): TopicReader {
    return this.#topic(name);
  }

  async releaseOutputs(name: string, offsets: readonly number[]): Promise<void> {
    const topic = this.#topic(name);
    await this.#database.write(
      2 * offsets.length,
      (batch) => {
        const firstOffsets = topic.collectRelease(batch, offsets);
        for (const [partition, first] of firstOffsets) {
          batch.put(metaKey(`first/${name}/${partition}`), Buffer.from(String(first)));
        }
        return firstOffsets;
      },
      (firstOffsets) => topic.moveFirst(firstOffsets),
    );
  }

  sizeBytes(): Promise<number> {
    return this.#database.sizeBytes();
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Puts everything of one partition into the batch; its meta once that is written. */
  #collect(batch: Batch, commit: PartitionCommit): PartitionMeta {
    const { partition, checkpoint } = commit;
    collect(batch, commit);
    const endOffsets: Record<string, number> = { ...this.#partitions.get(partition)?.endOffsets };
    const nowMs = this.#clock.nowMs();
    for (const output of commit.outputs) {
      const offset = endOffsets[output.topic] ?? 0;
      this.#topic(output.topic).collect(batch, partition, offset, output, nowMs);
      endOffsets[output.topic] = offset + 1;
    }
    const { logId, nextOffset } = checkpoint;
    const clockMs = Number.isFinite(checkpoint.clockMs) ? checkpoint.clockMs : null;
    const meta = { logId, nextOffset, clockMs, endOffsets };
    batch.put(metaKey(`partition/${partition}`), Buffer.from(JSON.stringify(meta)));
    return meta;
  }

  #apply(partition: number, meta: PartitionMeta): void {
    const before = this.#partitions.get(partition)?.endOffsets;
    this.#partitions.set(partition, meta);
    for (const [name, end] of Object.entries(meta.endOffsets)) {
      if (end !== before?.[name]) this.#topic(name).moveEnd(partition, end);
    }
  }

  #topic(name: string): OutputTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error(`the state has no topic ${name}`);
    return topic;
  }
}

async function readMeta(database: Database): Promise<Map<string, string>> {
  const meta = new Map<string, string>();
  for await (const { key, value } of database.entries(...META_RANGE)) {
    meta.set(metaName(key), value.toString());
  }
  return meta;
}

/** Makes a new folder's settings, or compares them with those it was made with. */
async function checkFolder(
  database: Database,
  meta: Map<string, string>,
  { directory, partitionCount, outputTopics }: RocksStoreOptions,
): Promise<void> {
  if (meta.size > 0 && meta.get('format') !== FORMAT) {
    throw new LullError('data_mismatch', `${directory} was written by another version of Lull`);
  }
  if (meta.size > 0 && meta.get('partitions') !== String(partitionCount)) {
    const message = `${directory} has ${meta.get('partitions')} partitions, not ${partitionCount}`;
    throw new LullError('data_mismatch', message);
  }
  const added: [string, string][] = [];
  if (meta.size === 0) added.push(['format', FORMAT], ['partitions', String(partitionCount)]);
  let topicId = [...meta.keys()].filter((name) => name.startsWith('topic/')).length;
  for (const name of outputTopics) {
    if (meta.has(`topic/${name}`)) continue;
    const logId = randomUUID().replaceAll('-', '');
    added.push([`topic/${name}`, JSON.stringify({ id: topicId++, logId })]);
  }
  if (added.length === 0) return;
  await database.write(
    added.length,
    (batch) => {
      for (const [name, value] of added) batch.put(metaKey(name), Buffer.from(value));
    },
    () => {
      for (const [name, value] of added) meta.set(name, value);
    },
  );
  await database.sync();
}

async function openTopics(
  database: Database,
  meta: ReadonlyMap<string, string>,
  { partitionCount, outputTopics }: RocksStoreOptions,
): Promise<Map<string, OutputTopic>> {
  const topics = new Map<string, OutputTopic>();
  for (const name of outputTopics) {
    const { id, logId } = JSON.parse(meta.get(`topic/${name}`)!);
    const firstOffsets: number[] = [];
    const endOffsets: number[] = [];
    for (let partition = 0; partition < partitionCount; partition++) {
      firstOffsets.push(Number(meta.get(`first/${name}/${partition}`) ?? 0));
      const stored: PartitionMeta = JSON.parse(meta.get(`partition/${partition}`) ?? '{}');
      endOffsets.push(stored.endOffsets?.[name] ?? 0);
    }
    const topic = new OutputTopic(name, { id, logId, firstOffsets, endOffsets }, database);
    await topic.restoreArrivals();
    topics.set(name, topic);
  }
  return topics;
}
