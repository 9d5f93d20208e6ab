/**
 * The Fetch request, version 17, of one topic's partitions. The answer, which may be large, is gone
 * through by hand where it came in, chunk by chunk; each partition's records are copied out once.
 */
import { createAPI, type Reader, Writer } from '@platformatic/kafka';
import { responseError } from './cluster.ts';
import { CODE } from './failure.ts';

export interface FetchRequest {
  readonly topicId: string;
  /** How long the broker may wait for the first byte. */
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly isCommittedOnly: boolean;
  readonly partitions: readonly { readonly partition: number; readonly fetchOffset: number }[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly firstOffset: number;
  /** Transactions that were aborted in the fetched range. */
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last of them perhaps cut off. */
  readonly records: Buffer;
}

const NO_RECORDS = Buffer.alloc(0);
const UUID_BYTES = 16;
const PARTITION_BYTES = 33;
/** What is laid out at a time, of an answer's parts other than records. */
const WINDOW_BYTES = 4096;

export const fetchV17 = createAPI<[request: FetchRequest], FetchedPartition[]>(
  1,
  17,
  createRequest,
  parseResponse,
);

function createRequest(request: FetchRequest): Writer {
  const { partitions } = request;
  const bytes = Buffer.allocUnsafe(60 + partitions.length * PARTITION_BYTES);
  let at = bytes.writeInt32BE(request.maxWaitMs, 0);
  at = bytes.writeInt32BE(1, at); // Bytes that the broker waits for.
  at = bytes.writeInt32BE(request.maxBytes, at);
  at = bytes.writeInt8(request.isCommittedOnly ? 1 : 0, at);
  at = bytes.writeInt32BE(0, at); // No fetch session.
  at = bytes.writeInt32BE(-1, at);
  bytes[at++] = 2; // One topic.
  at += bytes.write(request.topicId.replaceAll('-', ''), at, UUID_BYTES, 'hex');
  at = writeUnsignedVarint(bytes, at, partitions.length + 1);
  for (const { partition, fetchOffset } of partitions) {
    at = bytes.writeInt32BE(partition, at);
    at = bytes.writeInt32BE(-1, at); // Leader epochs are not checked.
    at = bytes.writeBigInt64BE(BigInt(fetchOffset), at);
    at = bytes.writeInt32BE(-1, at);
    at = bytes.writeBigInt64BE(-1n, at);
    at = bytes.writeInt32BE(request.partitionMaxBytes, at);
    bytes[at++] = 0;
  }
  // No tags of the topic, no forgotten topics, no rack, no tags.
  for (const byte of [0, 1, 1, 0]) bytes[at++] = byte;
  return Writer.create().append(bytes.subarray(0, at));
}

function parseResponse(_id: number, _key: number, _version: number, reader: Reader) {
  const answer = new Answer(reader.buffer, reader.position);
  answer.skip(4); // Throttle time.
  const errorCode = answer.int16();
  if (errorCode !== CODE.none) throw responseError(fetchV17, errorCode);
  answer.skip(4); // Session.
  const fetched: FetchedPartition[] = [];
  for (let topics = answer.varint(); topics > 1; topics--) {
    answer.skip(UUID_BYTES);
    for (let partitions = answer.varint(); partitions > 1; partitions--) {
      fetched.push(answer.partition());
    }
    answer.tags();
  }
  return fetched;
}

type Chunks = Reader['buffer'];

class Answer {
  readonly #chunks: Chunks;
  /** A stretch of the answer, and where in it reading stands. */
  #window: Buffer = NO_RECORDS;
  #windowStart: number;
  #at = 0;

  constructor(chunks: Chunks, start: number) {
    this.#chunks = chunks;
    this.#windowStart = start;
  }

  partition(): FetchedPartition {
    const partition = this.int32();
    const errorCode = this.int16();
    const highWatermark = this.int64();
    const lastStableOffset = this.int64();
    const firstOffset = this.int64();
    const aborted: AbortedTransaction[] = [];
    for (let left = this.varint(); left > 1; left--) {
      aborted.push({ producerId: this.bigint64(), firstOffset: this.int64() });
      this.tags();
    }
    this.skip(4); // Preferred replica.
    const records = this.#records(this.varint() - 1);
    this.tags();
    return {
      ...{ partition, errorCode, highWatermark, lastStableOffset, firstOffset },
      ...{ aborted, records },
    };
  }

  skip(count: number): void {
    this.#at += count;
  }

  int16(): number {
    const at = this.#next(2);
    return this.#window.readInt16BE(at);
  }

  int32(): number {
    const at = this.#next(4);
    return this.#window.readInt32BE(at);
  }

  int64(): number {
    return Number(this.bigint64());
  }

  bigint64(): bigint {
    const at = this.#next(8);
    return this.#window.readBigInt64BE(at);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const at = this.#next(1);
      const byte = this.#window[at]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  tags(): void {
    for (let left = this.varint(); left > 0; left--) {
      this.varint();
      this.skip(this.varint());
    }
  }

  #records(length: number): Buffer {
    if (length <= 0) return NO_RECORDS;
    const start = this.#windowStart + this.#at;
    this.skip(length);
    return this.#chunks.slice(start, start + length);
  }

  /** Where in the window the next bytes lie, which are then read. */
  #next(count: number): number {
    if (this.#at + count > this.#window.length) {
      const start = this.#windowStart + this.#at;
      const end = Math.min(start + WINDOW_BYTES, this.#chunks.length);
      if (start + count > end) throw new RangeError('the answer to a fetch is cut off');
      this.#window = this.#chunks.slice(start, end);
      this.#windowStart = start;
      this.#at = 0;
    }
    this.#at += count;
    return this.#at - count;
  }
}

function writeUnsignedVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest >= 0x80) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}
