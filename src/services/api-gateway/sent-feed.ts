/** Sent sessions for streams: follows the `sessions` topic from its end, or from a position. */
import type { SentRecord } from '../../core/output.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Logger } from '../../ops/logger.ts';
import { decodePosition, encodePosition } from './position.ts';

const READ_BYTES = 256 * 1024;
/** A reader that comes back further behind than this begins at the end. */
const MAX_MISSED_RECORDS = 10_000;

/** A sent session, its JSON as it was sent, and the id that a reader resumes after. */
export interface SentItem {
  readonly record: SentRecord;
  readonly json: string;
  readonly id: string;
}

export interface SentReader {
  tell(item: SentItem): void;
  /** Resolves when it can take more: false when it has gone. */
  ready(): Promise<boolean>;
  /** What it missed can't be told; it is told what comes from now on. */
  missed(): void;
}

/** Following the topic, from the first reader's coming to the last one's going. */
interface Run {
  /** Offset of the next record to tell, by partition. */
  readonly next: number[];
  /** Partitions that are being read. */
  readonly reading: Set<number>;
  readonly stop: () => void;
}

export class SentFeed {
  readonly #topic: TopicReader;
  readonly #logger: Logger;
  /** Whether each has been told what it missed, and is told what comes. */
  readonly #readers = new Map<SentReader, boolean>();
  #run: Run | null = null;

  constructor(topic: TopicReader, logger: Logger) {
    this.#topic = topic;
    this.#logger = logger;
  }

  /** From now on, or from after the item whose id it had last. Returns the way out. */
  add(reader: SentReader, lastId: string | undefined): () => void {
    this.#run ??= this.#start();
    this.#readers.set(reader, lastId === undefined);
    if (lastId !== undefined) void this.#catchUp(this.#run, reader, lastId);
    return () => this.#remove(reader);
  }

  #start(): Run {
    const partitions = Array.from({ length: this.#topic.partitionCount }, (_, index) => index);
    const run: Run = {
      next: partitions.map((partition) => this.#topic.endOffset(partition)),
      reading: new Set(),
      stop: this.#topic.onAppend((partition) => void this.#follow(run, partition)),
    };
    return run;
  }

  #remove(reader: SentReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#run?.stop();
    this.#run = null;
  }

  async #follow(run: Run, partition: number): Promise<void> {
    const { next, reading } = run;
    if (reading.has(partition)) return;
    reading.add(partition);
    try {
      while (next[partition]! < this.#topic.endOffset(partition)) {
        const records = await this.#topic.read(partition, next[partition]!, READ_BYTES);
        if (this.#run !== run || records.length === 0) return;
        for (const { offset, value } of records) {
          next[partition] = offset + 1;
          const item = this.#item(value, next);
          for (const [reader, isCaughtUp] of this.#readers) if (isCaughtUp) reader.tell(item);
        }
      }
    } catch (error) {
      this.#logger.error({ err: error, partition }, 'sent sessions could not be read for streams');
    } finally {
      reading.delete(partition);
    }
  }

  async #catchUp(run: Run, reader: SentReader, lastId: string): Promise<void> {
    try {
      const from = this.#positionsOf(lastId, run.next);
      if (from === null) reader.missed();
      else await this.#tellMissed(run, reader, from);
    } catch (error) {
      this.#logger.error({ err: error }, 'missed sessions could not be read for a stream');
      reader.missed();
    }
    if (this.#readers.has(reader)) this.#readers.set(reader, true);
  }

  /** Up to what all are told; the reader joins them with no await in between. */
  async #tellMissed({ next }: Run, reader: SentReader, from: number[]): Promise<void> {
    while (this.#readers.has(reader)) {
      const partition = from.findIndex((offset, index) => offset < next[index]!);
      if (partition < 0) {
        this.#readers.set(reader, true);
        return;
      }
      const records = await this.#topic.read(partition, from[partition]!, READ_BYTES);
      for (const { offset, value } of records) {
        if (offset >= next[partition]!) break;
        from[partition] = offset + 1;
        reader.tell(this.#item(value, from));
      }
      if (records.length === 0) from[partition] = next[partition]!;
      if (!(await reader.ready())) return;
    }
  }

  #item(value: Uint8Array, next: readonly number[]): SentItem {
    const json = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
    const offsets = new Map(next.entries());
    const id = encodePosition({ logId: this.#topic.logId, offsets });
    return { json, record: JSON.parse(json) as SentRecord, id };
  }

  /** Where a reader goes on; null when the id is not ours, or too long ago. */
  #positionsOf(id: string, next: readonly number[]): number[] | null {
    try {
      const { offsets } = decodePosition(id, this.#topic.logId, this.#topic.partitionCount);
      const from = next.map((end, partition) => Math.min(end, offsets.get(partition) ?? end));
      const missed = from.reduce((sum, offset, partition) => sum + next[partition]! - offset, 0);
      const isKept = from.every(
        (offset, partition) => offset >= this.#topic.firstOffset(partition),
      );
      return isKept && missed <= MAX_MISSED_RECORDS ? from : null;
    } catch {
      return null;
    }
  }
}
