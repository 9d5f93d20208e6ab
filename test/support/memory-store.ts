/** A state store in memory that can lose its power: fast enough for thousands of simulated runs. */
import assert from 'node:assert/strict';
import { LullError } from '../../src/errors.ts';
import type { LogRecord, TopicReader } from '../../src/log/log.ts';
import type { Clock } from '../../src/ops/clock.ts';
import type {
  Checkpoint,
  DeadlineEntry,
  PartitionCommit,
  StateStore,
} from '../../src/state/state.ts';

export interface MemoryStoreOptions {
  readonly partitionCount: number;
  readonly outputTopics: readonly string[];
  readonly clock: Clock;
  /** What every write waits for; a simulation crashes the system in it. Default: nothing. */
  readonly write?: () => Promise<void>;
}

/** What a commit does, with everything that it was given at the time. */
type Action =
  | { readonly commits: readonly PartitionCommit[]; readonly arrivalMs: number }
  | { readonly released: string; readonly offsets: readonly number[] };

/**
 * Keeps its tables twice: as they are, and as they were synced, with the actions since. So a
 * crash keeps everything synced and any number of the actions that followed, in their order.
 */
export class MemoryStore implements StateStore {
  readonly #options: MemoryStoreOptions;
  readonly #synced: Tables;
  readonly #tables: Tables;
  #unsynced: Action[] = [];
  /** Called, but not written yet. */
  readonly #waiting: Action[] = [];
  #writes: Promise<unknown> = Promise.resolve();
  #topics = new Map<string, MemoryOutput>();
  #closed = false;

  constructor(options: MemoryStoreOptions, synced = new Tables(options)) {
    this.#options = options;
    this.#synced = synced;
    this.#tables = synced.copy();
    for (const name of options.outputTopics) {
      this.#topics.set(name, new MemoryOutput(name, options.partitionCount, this.#tables));
    }
  }

  /** Actions done since the last sync: a power loss may take them, a kill does not. */
  get unsyncedCount(): number {
    return this.#unsynced.length;
  }

  /** Actions called and not done: after a crash they may be there or not, in their order. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * The store as the next run finds it: what was synced, and of the actions since, done or
   * waiting, the first `keptCount`. This store is closed by it, and waiting calls never end.
   */
  crash(keptCount: number, write?: () => Promise<void>): MemoryStore {
    this.#closed = true;
    const kept = [...this.#unsynced, ...this.#waiting].slice(0, keptCount);
    for (const action of kept) this.#synced.apply(action);
    const { write: _, ...options } = this.#options;
    return new MemoryStore(write === undefined ? options : { ...options, write }, this.#synced);
  }

  async open(partition: number): Promise<Checkpoint | null> {
    return this.#tables.checkpoints.get(partition) ?? null;
  }

  async getMany(partition: number, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    this.#check();
    const state = this.#tables.state[partition]!;
    return keys.map((key) => state.get(latin1(key)) ?? null);
  }

  async dueUsers(
    partition: number,
    after: DeadlineEntry | null,
    untilMinute: number,
    limit: number,
  ): Promise<DeadlineEntry[]> {
    this.#check();
    const due: DeadlineEntry[] = [];
    for (const [userId, minute] of this.#tables.deadlines[partition]!) {
      if (minute > untilMinute) continue;
      const entry = { minute, userId };
      if (after === null || byMinute(entry, after) > 0) due.push(entry);
    }
    return due.sort(byMinute).slice(0, limit);
  }

  async *scan(partition: number, prefix: Uint8Array) {
    this.#check();
    const begin = latin1(prefix);
    const keys = [...this.#tables.state[partition]!].filter(([key]) => key.startsWith(begin));
    for (const [key, value] of keys.sort(([a], [b]) => (a < b ? -1 : 1))) {
      yield { key: Buffer.from(key, 'latin1'), value };
    }
  }

  async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    this.#check();
    const partitions = new Set<number>();
    for (const { partition, outputs } of commits) {
      if (!(partition < this.#options.partitionCount)) throw new RangeError(`${partition}`);
      assert.ok(!partitions.has(partition), `partition ${partition} comes twice`);
      partitions.add(partition);
      for (const { topic } of outputs) this.topic(topic);
    }
    const given = copied(commits);
    let position = 0;
    await this.#do({ commits: given, arrivalMs: this.#options.clock.nowMs() }, () => {
      assert.deepEqual(copied(commits), given, 'a commit was changed before it was done');
      position = this.#tables.position + 1;
    });
    return commits.map(() => position);
  }

  position(): number {
    return this.#tables.position;
  }

  async sync(): Promise<ReadonlyMap<number, number>> {
    this.#check();
    for (const action of this.#unsynced) this.#synced.apply(action);
    this.#unsynced = [];
    const entries = [...this.#tables.checkpoints];
    return new Map(entries.map(([partition, { nextOffset }]) => [partition, nextOffset]));
  }

  topic(name: string): TopicReader {
    const topic = this.#topics.get(name);
    assert.ok(topic !== undefined, `the state has no topic ${name}`);
    return topic;
  }

  async releaseOutputs(topic: string, offsets: readonly number[]): Promise<void> {
    this.#check();
    await this.#do({ released: topic, offsets });
  }

  async sizeBytes(): Promise<number> {
    let total = 0;
    for (const state of this.#tables.state) {
      for (const [key, value] of state) total += key.length + value.length;
    }
    return total;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writes;
    for (const action of this.#unsynced) this.#synced.apply(action);
  }

  /** What was closed, opened again. */
  reopen(): MemoryStore {
    assert.ok(this.#closed);
    return new MemoryStore(this.#options, this.#synced);
  }

  /** Does one action after those that were called before it. */
  async #do(action: Action, check = () => {}): Promise<void> {
    this.#waiting.push(action);
    const done = this.#writes.then(async () => {
      await this.#options.write?.();
      check();
      this.#unsynced.push(action);
      this.#waiting.shift();
      const ends = this.#tables.apply(action);
      for (const [topic, partition] of ends) this.#topics.get(topic)!.appended(partition);
    });
    this.#writes = done.catch(() => {});
    await done;
  }

  #check(): void {
    if (this.#closed) throw new LullError('log_closed', 'the state is closed');
  }
}

interface OutputTable {
  firstOffset: number;
  records: LogRecord[];
}

/** Everything a store holds. */
class Tables {
  position = 0;
  readonly state: Map<string, Uint8Array>[] = [];
  readonly deadlines: Map<string, number>[] = [];
  readonly checkpoints = new Map<number, Checkpoint>();
  readonly outputs = new Map<string, OutputTable[]>();

  constructor({ partitionCount, outputTopics }: Omit<MemoryStoreOptions, 'clock'>) {
    for (let partition = 0; partition < partitionCount; partition++) {
      this.state.push(new Map());
      this.deadlines.push(new Map());
    }
    for (const name of outputTopics) {
      this.outputs.set(
        name,
        this.state.map(() => ({ firstOffset: 0, records: [] })),
      );
    }
  }

  copy(): Tables {
    const copy = new Tables({ partitionCount: this.state.length, outputTopics: [] });
    copy.position = this.position;
    for (const [partition, state] of this.state.entries()) {
      copy.state[partition] = new Map(state);
      copy.deadlines[partition] = new Map(this.deadlines[partition]);
    }
    for (const [partition, checkpoint] of this.checkpoints) {
      copy.checkpoints.set(partition, checkpoint);
    }
    for (const [name, tables] of this.outputs) {
      copy.outputs.set(
        name,
        tables.map(({ firstOffset, records }) => ({ firstOffset, records: [...records] })),
      );
    }
    return copy;
  }

  /** The ends of topics that it moved, as topic and partition. */
  apply(action: Action): [string, number][] {
    if ('released' in action) {
      for (const [partition, offset] of action.offsets.entries()) {
        const table = this.outputs.get(action.released)![partition]!;
        const count = Math.min(Math.max(offset - table.firstOffset, 0), table.records.length);
        table.records.splice(0, count);
        table.firstOffset += count;
      }
      return [];
    }
    this.position++;
    return action.commits.flatMap((commit) => this.#applyCommit(commit, action.arrivalMs));
  }

  #applyCommit(commit: PartitionCommit, nowMs: number): [string, number][] {
    const { partition, writes, deadlines, outputs, checkpoint } = commit;
    const state = this.state[partition]!;
    for (const { key, value } of writes) {
      if (value === null) state.delete(latin1(key));
      else state.set(latin1(key), value);
    }
    const index = this.deadlines[partition]!;
    for (const { userId, fromMinute, toMinute } of deadlines) {
      // The real index deletes exactly the entry it is told: another one would stay.
      assert.equal(index.get(userId) ?? null, fromMinute, `the entry of ${userId} lies elsewhere`);
      if (toMinute === null) index.delete(userId);
      else index.set(userId, toMinute);
    }
    for (const { topic, key, value } of outputs) {
      const { firstOffset, records } = this.outputs.get(topic)![partition]!;
      const arrivalMs = Math.max(nowMs, records.at(-1)?.arrivalMs ?? 0);
      records.push({ offset: firstOffset + records.length, arrivalMs, key, value });
    }
    this.checkpoints.set(partition, checkpoint);
    return [...new Set(outputs.map(({ topic }) => topic))].map((topic) => [topic, partition]);
  }
}

class MemoryOutput implements TopicReader {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #tables: Tables;
  readonly #listeners = new Set<(partition: number) => void>();

  constructor(name: string, partitionCount: number, tables: Tables) {
    this.name = name;
    this.logId = `memory-${name}`;
    this.partitionCount = partitionCount;
    this.#tables = tables;
  }

  firstOffset(partition: number): number {
    return this.#table(partition).firstOffset;
  }

  endOffset(partition: number): number {
    const { firstOffset, records } = this.#table(partition);
    return firstOffset + records.length;
  }

  async offsetAt(partition: number, arrivalMs: number): Promise<number> {
    const found = this.#table(partition).records.find((one) => one.arrivalMs >= arrivalMs);
    return found?.offset ?? this.endOffset(partition);
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    const { firstOffset, records } = this.#table(partition);
    return upTo(records, Math.max(0, fromOffset - firstOffset), maxBytes);
  }

  onAppend(listener: (partition: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  appended(partition: number): void {
    for (const listener of this.#listeners) {
      try {
        listener(partition);
      } catch (error) {
        process.emitWarning(error as Error);
      }
    }
  }

  #table(partition: number): OutputTable {
    const table = this.#tables.outputs.get(this.name)![partition];
    if (table === undefined) throw new RangeError(`${this.name} has no partition ${partition}`);
    return table;
  }
}

/** The records from an index on, about `maxBytes` of them, at least one. */
export function upTo(records: readonly LogRecord[], from: number, maxBytes: number): LogRecord[] {
  const found: LogRecord[] = [];
  let bytes = 0;
  for (let index = from; index < records.length; index++) {
    const record = records[index]!;
    found.push(record);
    bytes += record.value.length;
    if (bytes >= maxBytes) break;
  }
  return found;
}

function copied(commits: readonly PartitionCommit[]): PartitionCommit[] {
  return commits.map((commit) => ({
    ...commit,
    writes: commit.writes.map(({ key, value }) => ({ key: copy(key), value: copy(value) })),
    deadlines: [...commit.deadlines],
    outputs: commit.outputs.map((output) => ({ ...output, value: copy(output.value) })),
  }));
}

function copy<V extends Uint8Array | null>(value: V): V {
  return (value === null ? null : Uint8Array.from(value)) as V;
}

/** A text that compares as the bytes do. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function byMinute(a: DeadlineEntry, b: DeadlineEntry): number {
  return a.minute - b.minute || Buffer.compare(Buffer.from(a.userId), Buffer.from(b.userId));
}
