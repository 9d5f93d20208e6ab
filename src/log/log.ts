/** The event log: partitioned, ordered within a partition, durable, replayable. */

export interface LogRecord {
  /** Rises within the partition, from 0; there may be holes. */
  readonly offset: number;
  /** When the log took it, epoch milliseconds; never falls within a partition. */
  readonly arrivalMs: number;
  readonly key: string;
  readonly value: Uint8Array;
}

/** A record that lies in bytes it shares with others; its parts are cut out when asked for. */
export class RecordView implements LogRecord {
  readonly offset: number;
  readonly arrivalMs: number;
  readonly bytes: Buffer;
  readonly keyStart: number;
  /** There the value begins. */
  readonly keyEnd: number;
  readonly valueEnd: number;

  constructor(
    offset: number,
    arrivalMs: number,
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
  ) {
    this.offset = offset;
    this.arrivalMs = arrivalMs;
    this.bytes = bytes;
    this.keyStart = keyStart;
    this.keyEnd = keyEnd;
    this.valueEnd = valueEnd;
  }

  get key(): string {
    return this.bytes.toString('utf8', this.keyStart, this.keyEnd);
  }

  get value(): Uint8Array {
    return this.bytes.subarray(this.keyEnd, this.valueEnd);
  }
}

export interface NewRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: Uint8Array;
}

/** Reading side of a topic. Any number of readers, each keeping its own positions. */
export interface TopicReader {
  readonly name: string;
  /** Identifies this log for ever: offsets of another log mean nothing here. */
  readonly logId: string;
  readonly partitionCount: number;
  /** Offset of the oldest record kept; equals `endOffset` when there is none. */
  firstOffset(partition: number): number;
  /** Offset that the next record will get; every record below it is durable and can be read. */
  endOffset(partition: number): number;
  /** Offset of the first record that arrived at or after a time; `endOffset` when none did. */
  offsetAt(partition: number, arrivalMs: number): Promise<number>;
  /**
   * The records from `fromOffset` on, in order, about `maxBytes` of them (at least one); empty at
   * the end. Starts at `firstOffset` when `fromOffset` is below it.
   */
  read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]>;
  /**
   * Brings the offsets of both ends up to date, where what is known of them may be older: of these
   * partitions by asking, of all others as far as news of them don't come by themselves.
   */
  refreshEnds?(partitions?: readonly number[], signal?: AbortSignal): Promise<void>;
  /** Calls back after the end of a partition has moved; returns the way to stop it. */
  onAppend(listener: (partition: number) => void): () => void;
}

/** A topic that this process may write. */
export interface Topic extends TopicReader {
  /**
   * Appends and resolves when all of it is durable (synced, or acknowledged by all replicas), with
   * the offset of each record. Records of one call keep their order within a partition; calls are
   * appended in the order in which they were made. Rejects with `log_full` when the disk or its
   * bound is reached and `log_closed` after `close`; then none of the call's records may be lost
   * silently: some may have been appended.
   */
  append(records: readonly NewRecord[]): Promise<number[]>;
  /**
   * Lets go of records below these offsets (by partition); what is deleted, and when, is the
   * log's own affair. Never deletes at or above them.
   */
  release(offsets: readonly number[]): Promise<void>;
  /** Bytes it takes on disk. */
  sizeBytes(): number;
  /** Waits for appends under way, syncs, and closes. Reads and appends after it reject. */
  close(): Promise<void>;
}
