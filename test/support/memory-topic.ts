/** A topic in memory that can lose its power, for simulated runs. */
import { LullError } from '../../src/errors.ts';
import type { LogRecord, NewRecord, Topic } from '../../src/log/log.ts';
import type { Clock } from '../../src/ops/clock.ts';
import { upTo } from './memory-store.ts';

export interface MemoryTopicOptions {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly clock: Clock;
  /** What an append waits for; a simulation crashes the system in it. Default: nothing. */
  readonly sync?: () => Promise<void>;
}

interface Partition {
  readonly records: LogRecord[];
  firstOffset: number;
  /** Offset of the first record that is not durable yet. */
  endOffset: number;
}

export class MemoryTopic implements Topic {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #options: MemoryTopicOptions;
  readonly #partitions: Partition[];
  readonly #listeners = new Set<(partition: number) => void>();
  #appends: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: MemoryTopicOptions, partitions?: Partition[]) {
    this.name = options.name;
    this.logId = options.logId;
    this.partitionCount = options.partitionCount;
    this.#options = options;
    this.#partitions =
      partitions ??
      Array.from({ length: options.partitionCount }, () => {
        return { records: [], firstOffset: 0, endOffset: 0 };
      });
  }

  /**
   * The topic as the next run finds it: what was durable, and of each partition the share
   * (0 to 1) of what was not. This topic is closed by it.
   */
  crash(keptShare: number, sync?: () => Promise<void>): MemoryTopic {
    this.#closed = true;
    const partitions = this.#partitions.map(({ records, firstOffset, endOffset }) => {
      const written = firstOffset + records.length;
      const end = endOffset + Math.floor((written - endOffset) * keptShare);
      return { records: records.slice(0, end - firstOffset), firstOffset, endOffset: end };
    });
    const { sync: _, ...options } = this.#options;
    return new MemoryTopic(sync === undefined ? options : { ...options, sync }, partitions);
  }

  firstOffset(partition: number): number {
    return this.#partition(partition).firstOffset;
  }

  endOffset(partition: number): number {
    return this.#partition(partition).endOffset;
  }

  async offsetAt(partition: number, arrivalMs: number): Promise<number> {
    const { records, endOffset } = this.#partition(partition);
    const found = records.find((record) => record.arrivalMs >= arrivalMs);
    return Math.min(found?.offset ?? endOffset, endOffset);
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    this.#check();
    const { records, firstOffset, endOffset } = this.#partition(partition);
    const from = Math.max(0, fromOffset - firstOffset);
    const found = upTo(records, from, maxBytes);
    return found.filter(({ offset }) => offset < endOffset);
  }

  onAppend(listener: (partition: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async append(records: readonly NewRecord[]): Promise<number[]> {
    this.#check();
    const partitions = records.map(({ partition }) => this.#partition(partition));
    const nowMs = this.#options.clock.nowMs();
    const offsets = records.map(({ key, value }, index) => {
      const own = partitions[index]!;
      const offset = own.firstOffset + own.records.length;
      const arrivalMs = Math.max(nowMs, own.records.at(-1)?.arrivalMs ?? 0);
      own.records.push({ offset, arrivalMs, key, value: value.slice() });
      return offset;
    });
    const synced = this.#appends.then(async () => {
      await this.#options.sync?.();
      for (const [index, { partition }] of records.entries()) {
        const own = partitions[index]!;
        own.endOffset = Math.max(own.endOffset, offsets[index]! + 1);
        if (index === records.findLastIndex((one) => one.partition === partition)) {
          for (const listener of this.#listeners) listener(partition);
        }
      }
      return offsets;
    });
    this.#appends = synced.catch(() => {});
    return synced;
  }

  async release(offsets: readonly number[]): Promise<void> {
    this.#check();
    for (const [partition, offset] of offsets.entries()) {
      const own = this.#partition(partition);
      const count = Math.max(0, Math.min(offset, own.endOffset) - own.firstOffset);
      own.records.splice(0, count);
      own.firstOffset += count;
    }
  }

  sizeBytes(): number {
    let total = 0;
    for (const { records } of this.#partitions) {
      for (const { key, value } of records) total += key.length + value.length + 16;
    }
    return total;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#appends;
  }

  /** What was closed, opened again. */
  reopen(): MemoryTopic {
    return new MemoryTopic(this.#options, this.#partitions);
  }

  #check(): void {
    if (this.#closed) throw new LullError('log_closed', `${this.name} is closed`);
  }

  #partition(partition: number): Partition {
    const own = this.#partitions[partition];
    if (own === undefined) throw new RangeError(`${this.name} has no partition ${partition}`);
    return own;
  }
}
