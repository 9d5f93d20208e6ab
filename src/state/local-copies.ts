/** Copies of partitions in RocksDB, each as far as it was read from the changelog or written. */
import { randomUUID } from 'node:crypto';
import { isUserKey, userIdBytes } from '../core/keys.ts';
import { storedMinuteOf } from '../core/record.ts';
import { LullError } from '../errors.ts';
import { type Batch, Database } from './database.ts';
import { deadlineKey, META_RANGE, metaKey, metaName, stateKey } from './keys.ts';
import { collect, getMany, putDeadline, wipe } from './partition-data.ts';
import type { Checkpoint, PartitionCommit } from './state.ts';

const FORMAT = 'kafka-1';

/** How far a copy goes. */
export interface Copy {
  /** Of the newest commit that it has all of; null before the first. */
  readonly checkpoint: Checkpoint | null;
  /** The changelog's offset after that commit: its position. */
  readonly position: number;
  /** Where the changelog is to be read on. */
  readonly nextOffset: number;
  /** When it was last known to have everything. */
  readonly currentMs: number;
}

/** A copy's progress, and the newest record of each key that came with it, sorted by key. */
export interface Chunk {
  readonly records: readonly ChunkRecord[];
  readonly copy: Copy;
}

export interface ChunkRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export interface CopiesOptions {
  readonly directory: string;
  /** Copies of another changelog are worth nothing. */
  readonly changelogId: string;
}

/** For `apply`: whether the copy may have a record of this user already. */
export type MayHave = (key: Uint8Array) => boolean;

export class LocalCopies {
  readonly database: Database;
  /** Of this folder, for ever. */
  readonly instanceId: string;
  readonly #copies: Map<number, Copy>;
  #memberId: string | null;

  private constructor(database: Database, meta: ReadonlyMap<string, string>) {
    this.database = database;
    this.instanceId = meta.get('instance')!;
    this.#memberId = meta.get('member') ?? null;
    this.#copies = new Map();
    for (const [name, text] of meta) {
      const [, partition] = /^copy\/(\d+)$/.exec(name) ?? [];
      if (partition !== undefined) this.#copies.set(Number(partition), decodeCopy(text));
    }
  }

  /**
   * Opens the folder, making it when there is none. Rejects with `data_locked`, `data_mismatch`
   * when another kind of store made it, and as `Database.open` does.
   */
  static async open({ directory, changelogId }: CopiesOptions): Promise<LocalCopies> {
    const database = await Database.open(directory);
    try {
      const meta = await readMeta(database);
      if (meta.size > 0 && meta.get('format') !== FORMAT) {
        const message = `${directory} was made by another mode or version of Lull`;
        throw new LullError('data_mismatch', message);
      }
      if (meta.get('changelog') !== changelogId) await beginAnew(database, meta, changelogId);
      return new LocalCopies(database, meta);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** What this instance was in the group when it last joined. */
  get memberId(): string | null {
    return this.#memberId;
  }

  async keepMemberId(memberId: string): Promise<void> {
    this.#memberId = memberId;
    const value = Buffer.from(memberId);
    await this.database.write(
      1,
      (batch) => batch.put(metaKey('member'), value),
      () => {},
    );
  }

  get(partition: number): Copy | undefined {
    return this.#copies.get(partition);
  }

  /** Positions of all copies, by partition. */
  positions(): Map<number, number> {
    return new Map([...this.#copies].map(([partition, { position }]) => [partition, position]));
  }

  /** Writes commits that the changelog has, each with its position. */
  async write(
    commits: readonly PartitionCommit[],
    positions: readonly number[],
    nowMs: number,
  ): Promise<void> {
    const operations = commits.reduce(
      (sum, { writes, deadlines }) => sum + writes.length + 2 * deadlines.length + 1,
      0,
    );
    const put = (batch: Batch) =>
      commits.map((commit, index): [number, Copy] => {
        collect(batch, commit);
        const { partition, checkpoint } = commit;
        const position = positions[index]!;
        const copy = { checkpoint, position, nextOffset: position, currentMs: nowMs };
        batch.put(copyKey(partition), encodeCopy(copy));
        return [partition, copy];
      });
    await this.database.write(operations, put, (copies) => this.#keep(copies));
  }

  /** Writes what was read from the changelog, and moves the users' deadlines with it. */
  async apply(partition: number, { records, copy }: Chunk, mayHave: MayHave): Promise<void> {
    const users = records.filter(({ key }) => isUserKey(key) && mayHave(key));
    const stored = await getMany(
      this.database,
      partition,
      users.map(({ key }) => key),
    );
    const put = (batch: Batch): [number, Copy][] => {
      for (const [index, { key }] of users.entries()) {
        const record = stored[index];
        const minute = record ? storedMinuteOf(record) : null;
        if (minute !== null) batch.delete(deadlineKey(partition, minute, userIdBytes(key)));
      }
      for (const { key, value } of records) {
        if (value === null) {
          batch.delete(stateKey(partition, key));
          continue;
        }
        batch.put(stateKey(partition, key), value);
        const minute = isUserKey(key) ? storedMinuteOf(value) : null;
        if (minute !== null) putDeadline(batch, partition, minute, userIdBytes(key));
      }
      batch.put(copyKey(partition), encodeCopy(copy));
      return [[partition, copy]];
    };
    await this.database.write(2 * records.length + 1, put, (copies) => this.#keep(copies));
  }

  /** Says that these copies have everything now. */
  async keepCurrent(partitions: readonly number[], nowMs: number): Promise<void> {
    const put = (batch: Batch) => {
      const kept: [number, Copy][] = [];
      for (const partition of partitions) {
        const copy = this.#copies.get(partition);
        if (copy === undefined) continue;
        const current = { ...copy, currentMs: nowMs };
        batch.put(copyKey(partition), encodeCopy(current));
        kept.push([partition, current]);
      }
      return kept;
    };
    await this.database.write(partitions.length, put, (copies) => this.#keep(copies));
  }

  /** Deletes a copy whole. */
  async wipe(partition: number): Promise<void> {
    const put = (batch: Batch) => {
      wipe(batch, partition);
      batch.delete(copyKey(partition));
    };
    await this.database.write(3, put, () => this.#copies.delete(partition));
  }

  close(): Promise<void> {
    return this.database.close();
  }

  #keep(copies: readonly (readonly [number, Copy])[]): void {
    for (const [partition, copy] of copies) this.#copies.set(partition, copy);
  }
}

function copyKey(partition: number): Buffer {
  return metaKey(`copy/${partition}`);
}

function encodeCopy(copy: Copy): Buffer {
  const { checkpoint, ...rest } = copy;
  if (checkpoint === null) return Buffer.from(JSON.stringify(rest));
  // JSON has no -Infinity.
  const clockMs = Number.isFinite(checkpoint.clockMs) ? checkpoint.clockMs : null;
  return Buffer.from(JSON.stringify({ ...rest, checkpoint: { ...checkpoint, clockMs } }));
}

function decodeCopy(text: string): Copy {
  const { checkpoint, ...rest } = JSON.parse(text);
  if (checkpoint === undefined) return { ...rest, checkpoint: null };
  const clockMs = checkpoint.clockMs ?? Number.NEGATIVE_INFINITY;
  return { ...rest, checkpoint: { ...checkpoint, clockMs } };
}

async function readMeta(database: Database): Promise<Map<string, string>> {
  const meta = new Map<string, string>();
  for await (const { key, value } of database.entries(...META_RANGE)) {
    meta.set(metaName(key), value.toString());
  }
  return meta;
}

/** Keeps who this instance is, and nothing else. */
async function beginAnew(
  database: Database,
  meta: Map<string, string>,
  changelogId: string,
): Promise<void> {
  const wiped = [...meta.keys()].filter((name) => name.startsWith('copy/'));
  const kept: [string, string][] = [
    ['format', FORMAT],
    ['instance', meta.get('instance') ?? randomUUID()],
    ['changelog', changelogId],
  ];
  const put = (batch: Batch) => {
    for (const name of wiped) {
      wipe(batch, Number(name.slice('copy/'.length)));
      batch.delete(metaKey(name));
    }
    for (const [name, value] of kept) batch.put(metaKey(name), Buffer.from(value));
  };
  await database.write(3 * wiped.length + kept.length, put, () => {
    for (const name of wiped) meta.delete(name);
    for (const [name, value] of kept) meta.set(name, value);
  });
  await database.sync();
}
