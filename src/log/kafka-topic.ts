/** A Kafka topic that this process reads and writes. */
import type { Compression } from '../kafka/compression.ts';
import { Producer } from '../kafka/producer.ts';
import { type KafkaReader, type KafkaReaderOptions, openKafkaReader } from './kafka-reader.ts';
import type { LogRecord, NewRecord, Topic } from './log.ts';

export interface KafkaTopicOptions extends KafkaReaderOptions {
  /** Default: snappy (docs/decisions/kafka-compression.md). */
  readonly compression?: Compression;
  readonly lingerMs?: number;
  /** After this long an append rejects with `log_unavailable`. */
  readonly patienceMs?: number;
}

export async function openKafkaTopic(
  options: KafkaTopicOptions,
  signal?: AbortSignal,
): Promise<KafkaTopic> {
  return new KafkaTopic(options, await openKafkaReader(options, signal));
}

export class KafkaTopic implements Topic {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #reader: KafkaReader;
  readonly #producer: Producer;

  constructor(options: KafkaTopicOptions, reader: KafkaReader) {
    this.name = reader.name;
    this.logId = reader.logId;
    this.partitionCount = reader.partitionCount;
    this.#reader = reader;
    this.#producer = new Producer({ compression: 'snappy', ...options });
  }

  follow(partitions: Iterable<number>): void {
    this.#reader.follow(partitions);
  }

  firstOffset(partition: number): number {
    return this.#reader.firstOffset(partition);
  }

  endOffset(partition: number): number {
    return this.#reader.endOffset(partition);
  }

  offsetAt(partition: number, arrivalMs: number): Promise<number> {
    return this.#reader.offsetAt(partition, arrivalMs);
  }

  read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    return this.#reader.read(partition, fromOffset, maxBytes);
  }

  refreshEnds(partitions?: readonly number[], signal?: AbortSignal): Promise<void> {
    return this.#reader.refreshEnds(partitions, signal);
  }

  /** Bytes of records that the brokers don't have yet. */
  get bufferedBytes(): number {
    return this.#producer.bufferedBytes;
  }

  /** What they may be; more are refused. */
  get bufferBytes(): number {
    return this.#producer.bufferBytes;
  }

  onAppend(listener: (partition: number) => void): () => void {
    return this.#reader.onAppend(listener);
  }

  async append(records: readonly NewRecord[]): Promise<number[]> {
    this.#reader.assertOpen();
    const offsets = await this.#producer.append(records);
    for (const [index, { partition }] of records.entries()) {
      this.#reader.moveEnd(partition, offsets[index]! + 1);
    }
    return offsets;
  }

  /** The topic's own retention says what is deleted, and when. */
  async release(): Promise<void> {}

  /** Not known: it lies with the brokers. */
  sizeBytes(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#reader.close();
    await this.#producer.close();
  }
}
