/**
 * The Fetch request, version 17, of one topic's partitions. The answer is laid out in one buffer
 * and gone through by hand: it is what a processor spends most of its reading on.
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
  const answer = new Answer(reader.buffer.slice(reader.position));
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

class Answer {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): number {
    return Number(this.bigint64());
  }

  bigint64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
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

  /** Of its own where it is the smaller part, so that it doesn't keep the whole answer alive. */
  #records(length: number): Buffer {
    if (length <= 0) return NO_RECORDS;
    const records = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return length * 2 > this.#bytes.length ? records : Buffer.from(records);
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
