/** Reads the `sessions` topic in bounded batches, each partition in its turn. */
import type { SentRecord } from '../../core/output.ts';
import type { LogRecord, TopicReader } from '../../log/log.ts';
import { readSentRecord } from './sent-record.ts';

/** An offset in each of some partitions. */
export type Offsets = ReadonlyMap<number, number>;

export interface Batch {
  readonly records: readonly SentRecord[];
  /** What is no record of a session. */
  readonly unreadable: readonly LogRecord[];
  readonly isFull: boolean;
  /** Where each partition goes on after it. */
  readonly next: Offsets;
}

/** About a thousand sessions, and never much more than this in memory. */
const BATCH_BYTES = 2 * 1024 * 1024;

export class BatchReader {
  readonly #topic: TopicReader;
  /** Which partition is read first, so that a busy one doesn't keep the others waiting. */
  #turn = 0;

  constructor(topic: TopicReader) {
    this.#topic = topic;
  }

  /** What there is from these offsets on; nothing, with the same offsets, at the end. */
  async read(from: Offsets): Promise<Batch> {
    const partitions = [...from.keys()];
    const records: SentRecord[] = [];
    const unreadable: LogRecord[] = [];
    const next = new Map(from);
    let bytes = 0;
    for (let count = 0; count < partitions.length && bytes < BATCH_BYTES; count++) {
      const partition = partitions[this.#turn++ % partitions.length]!;
      const end = this.#topic.endOffset(partition);
      const position = next.get(partition)!;
      if (position >= end) continue;
      const found = await this.#topic.read(partition, position, BATCH_BYTES - bytes);
      // Nothing before the end: a hole is all that is left.
      next.set(partition, (found.at(-1)?.offset ?? end - 1) + 1);
      for (const one of found) {
        bytes += one.value.length;
        const record = readSentRecord(one.value);
        if (record === null) unreadable.push(one);
        else records.push(record);
      }
    }
    return { records, unreadable, next, isFull: bytes >= BATCH_BYTES };
  }
}
