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

/** Offset of the next record, by partition. */
type Positions = number[];

export class SentFeed {
  readonly #topic: TopicReader;
  readonly #logger: Logger;
  readonly #tell: (item: SentItem) => void;
  #next: Positions = [];
  readonly #reading = new Set<number>();
  #stopListening: (() => void) | null = null;

  constructor(topic: TopicReader, logger: Logger, tell: (item: SentItem) => void) {
    this.#topic = topic;
    this.#logger = logger;
    this.#tell = tell;
  }

  /** From the end of the topic on. */
  start(): void {
    if (this.#stopListening !== null) return;
    this.#next = this.#partitions().map((partition) => this.#topic.endOffset(partition));
    this.#stopListening = this.#topic.onAppend((partition) => void this.#follow(partition));
  }

  stop(): void {
    this.#stopListening?.();
    this.#stopListening = null;
  }

  /**
   * Tells one reader what came after `lastId`, up to what all are told; `pause` is awaited after
   * each read. Resolves true, and false when the id is not ours or too far back: then nothing
   * was told.
   */
  async catchUp(
    lastId: string,
    tell: (item: SentItem) => void,
    pause: () => Promise<boolean>,
  ): Promise<boolean> {
    const from = this.#positionsOf(lastId);
    if (from === null) return false;
    for (const partition of this.#partitions()) {
      while (from[partition]! < this.#next[partition]!) {
        const records = await this.#topic.read(partition, from[partition]!, READ_BYTES);
        for (const { offset, value } of records) {
          if (offset >= this.#next[partition]!) break;
          from[partition] = offset + 1;
          tell(this.#item(value, from));
        }
        if (records.length === 0) from[partition] = this.#next[partition]!;
        if (!(await pause())) return true;
      }
    }
    // What came meanwhile in partitions that were done already.
    const behind = this.#partitions().some((at) => from[at]! < this.#next[at]!);
    return behind ? this.catchUp(this.#idOf(from), tell, pause) : true;
  }

  async #follow(partition: number): Promise<void> {
    if (this.#reading.has(partition)) return;
    this.#reading.add(partition);
    try {
      while (
        this.#stopListening !== null &&
        this.#next[partition]! < this.#topic.endOffset(partition)
      ) {
        const records = await this.#topic.read(partition, this.#next[partition]!, READ_BYTES);
        for (const { offset, value } of records) {
          this.#next[partition] = offset + 1;
          this.#tell(this.#item(value, this.#next));
        }
        if (records.length === 0) break;
      }
    } catch (error) {
      this.#logger.error({ err: error, partition }, 'sent sessions could not be read for streams');
    } finally {
      this.#reading.delete(partition);
    }
  }

  #item(value: Uint8Array, next: Positions): SentItem {
    const json = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
    return { json, record: JSON.parse(json) as SentRecord, id: this.#idOf(next) };
  }

  #idOf(next: Positions): string {
    return encodePosition({ logId: this.#topic.logId, offsets: new Map(next.entries()) });
  }

  #positionsOf(id: string): Positions | null {
    try {
      const { offsets } = decodePosition(id, this.#topic.logId, this.#topic.partitionCount);
      const from = this.#next.map((next, partition) => {
        return Math.min(next, offsets.get(partition) ?? next);
      });
      const missed = from.reduce((sum, at, partition) => sum + this.#next[partition]! - at, 0);
      const isKept = from.every((at, partition) => at >= this.#topic.firstOffset(partition));
      return isKept && missed <= MAX_MISSED_RECORDS ? from : null;
    } catch {
      return null;
    }
  }

  #partitions(): number[] {
    return Array.from({ length: this.#topic.partitionCount }, (_, partition) => partition);
  }
}
