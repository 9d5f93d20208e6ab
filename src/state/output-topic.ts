/** A topic that commits write to: its records lie in the state's own store, read like any log. */
import type { LogRecord, TopicReader } from '../log/log.ts';
import type { Batch, Database } from './database.ts';
import { outputKey, outputRecord, outputValue } from './keys.ts';
import type { OutputRecord } from './state.ts';

/** Every deleted range makes all reads a little slower until it is compacted, so they are few. */
const DELETED_AT_ONCE = 500;

/** What is kept of a topic between runs, beside its records. */
export interface TopicBounds {
  readonly id: number;
  readonly logId: string;
  readonly firstOffsets: number[];
  readonly endOffsets: number[];
}

export class OutputTopic implements TopicReader {
  readonly name: string;
  readonly id: number;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #database: Database;
  readonly #firstOffsets: number[];
  readonly #endOffsets: number[];
  readonly #lastArrivalsMs: number[];
  /** Records below these are deleted; those from here to the first offset only count as gone. */
  readonly #deletedOffsets: number[];
  readonly #listeners = new Set<(partition: number) => void>();

  constructor(name: string, bounds: TopicBounds, database: Database) {
    this.name = name;
    this.id = bounds.id;
    this.logId = bounds.logId;
    this.partitionCount = bounds.endOffsets.length;
    this.#firstOffsets = bounds.firstOffsets;
    this.#endOffsets = bounds.endOffsets;
    this.#lastArrivalsMs = bounds.endOffsets.map(() => 0);
    this.#deletedOffsets = bounds.endOffsets.map(() => 0);
    this.#database = database;
  }

  firstOffset(partition: number): number {
    this.#check(partition);
    return this.#firstOffsets[partition]!;
  }

  endOffset(partition: number): number {
    this.#check(partition);
    return this.#endOffsets[partition]!;
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    const from = Math.max(fromOffset, this.firstOffset(partition));
    const end = this.endOffset(partition);
    if (from >= end) return records;
    const bounds = [
      outputKey(this.id, partition, from),
      outputKey(this.id, partition, end),
    ] as const;
    let bytes = 0;
    for await (const { key, value } of this.#database.entries(...bounds)) {
      records.push(outputRecord(key, value));
      bytes += value.length;
      if (bytes >= maxBytes) break;
    }
    return records;
  }

  async offsetAt(partition: number, arrivalMs: number): Promise<number> {
    let low = this.firstOffset(partition);
    let high = this.endOffset(partition);
    // Arrivals never fall and there are no holes, so the place can be found by halving.
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const record = await this.#recordAt(partition, middle);
      if (record !== null && record.arrivalMs >= arrivalMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  onAppend(listener: (partition: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Finds the newest records' arrivals, so that a later one is never given an earlier time. */
  async restoreArrivals(): Promise<void> {
    for (const [partition, end] of this.#endOffsets.entries()) {
      const last = end === 0 ? null : await this.#recordAt(partition, end - 1);
      if (last !== null) this.#lastArrivalsMs[partition] = last.arrivalMs;
    }
  }

  /** Adds a record to a batch under the offset that it will have once the batch is written. */
  collect(
    batch: Batch,
    partition: number,
    offset: number,
    { key, value }: OutputRecord,
    nowMs: number,
  ): void {
    const arrivalMs = Math.max(nowMs, this.#lastArrivalsMs[partition]!);
    this.#lastArrivalsMs[partition] = arrivalMs;
    batch.put(outputKey(this.id, partition, offset), outputValue(arrivalMs, key, value));
  }

  /** The batch is written: its records can be read. */
  moveEnd(partition: number, endOffset: number): void {
    this.#endOffsets[partition] = endOffset;
    for (const listener of this.#listeners) {
      try {
        listener(partition);
      } catch (error) {
        // One reader's defect must not stop the commit for the others.
        process.emitWarning(error as Error);
      }
    }
  }

  /** Lets go of the records below these offsets, in a batch; the first offsets it leads to. */
  collectRelease(batch: Batch, offsets: readonly number[]): Map<number, number> {
    const firstOffsets = new Map<number, number>();
    for (const [partition, offset] of offsets.entries()) {
      const first = this.firstOffset(partition);
      const released = Math.min(offset, this.endOffset(partition));
      if (released <= first) continue;
      firstOffsets.set(partition, released);
      const deleted = this.#deletedOffsets[partition]!;
      if (released - deleted < DELETED_AT_ONCE) continue;
      const start = outputKey(this.id, partition, deleted);
      batch.deleteRange(start, outputKey(this.id, partition, released));
      this.#deletedOffsets[partition] = released;
    }
    return firstOffsets;
  }

  /** The batch that deleted the records below is written. */
  moveFirst(firstOffsets: ReadonlyMap<number, number>): void {
    for (const [partition, first] of firstOffsets) this.#firstOffsets[partition] = first;
  }

  async #recordAt(partition: number, offset: number): Promise<LogRecord | null> {
    const key = outputKey(this.id, partition, offset);
    const [value] = await this.#database.getMany([key]);
    return value ? outputRecord(key, value) : null;
  }

  #check(partition: number): void {
    if (this.#endOffsets[partition] === undefined) {
      throw new RangeError(`${this.name} has no partition ${partition}`);
    }
  }
}
