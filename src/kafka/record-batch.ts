/**
 * Record batches, version 2: built from keys and values, and read back one record at a time
 * without an object for each (Kafka's DefaultRecordBatch and DefaultRecord).
 *
 * ```
 *  0 i64 baseOffset          43 i64 producerId
 *  8 i32 length of the rest  51 i16 producerEpoch
 * 12 i32 leaderEpoch         53 i32 baseSequence
 * 16 i8  version, 2          57 i32 count
 * 17 u32 CRC32C of the rest  61     records, compressed together
 * 21 i16 attributes: codec 0-2, log append time 3, transactional 4, control 5
 * 23 i32 last offset delta   27 i64 baseTimestamp   35 i64 maxTimestamp
 * ```
 */
import { crc32c } from '@node-rs/crc32';
import { utf8Length, writeUtf8 } from '../core/hash.ts';
import { LullError } from '../errors.ts';
import { type Compression, compress, compressionNumber, decompress } from './compression.ts';

const HEADER_BYTES = 61;
const CHECKED_FROM = 21;
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const FIRST_CAPACITY_BYTES = 4096;
/** Buffers that have grown are used again: new ones cost more than all else in a batch. */
const KEPT = { buffers: 16, leastBytes: 256 * 1024, mostBytes: 2 * 1024 * 1024 };
const TWO_POW_32 = 4294967296;

/** Who wrote a batch, and where it stands among that producer's records for the partition. */
export interface ProducerStamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the batch's first record; the next batch begins `count` further on. */
  readonly baseSequence: number;
  readonly transactional: boolean;
}

export interface SealOptions {
  readonly stamp: ProducerStamp;
  /** Time of writing, of all its records. */
  readonly timestampMs: number;
  /** Default: none. */
  readonly compression?: Compression;
}

/** Bytes that a batch with this one record takes, at most, before compression. */
export function batchBound(key: string | Uint8Array | null, value: Uint8Array | null): number {
  // Three bytes for each UTF-16 unit are enough.
  const keyBytes = key === null ? 0 : typeof key === 'string' ? key.length * 3 : key.length;
  return HEADER_BYTES + recordBound(keyBytes, value);
}

function recordBound(keyBytes: number, value: Uint8Array | null): number {
  // Four lengths and deltas of five bytes at most, and three single bytes.
  return keyBytes + (value === null ? 0 : value.length) + 23;
}

const kept: Buffer[] = [];
const NOTHING = Buffer.alloc(0);

/** Gathers records for one batch. */
export class BatchBuilder {
  #bytes = kept.pop() ?? Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
  #end = HEADER_BYTES;
  count = 0;

  /** Of the batch so far, before compression. */
  get sizeBytes(): number {
    return this.#end;
  }

  /** A value of null is a tombstone. Keys and values are copied. */
  append(key: string | Uint8Array | null, value: Uint8Array | null): void {
    const keyBytes = key === null ? -1 : typeof key === 'string' ? utf8Length(key) : key.length;
    const valueBytes = value === null ? -1 : value.length;
    this.#reserve(recordBound(Math.max(0, keyBytes), value));
    const bytes = this.#bytes;
    const bodyBytes =
      3 + // Attributes, a timestamp delta of 0, no headers.
      varintBytes(this.count) +
      varintBytes(keyBytes) +
      varintBytes(valueBytes) +
      Math.max(0, keyBytes) +
      Math.max(0, valueBytes);
    let at = writeVarint(bytes, this.#end, bodyBytes);
    bytes[at++] = 0;
    bytes[at++] = 0;
    at = writeVarint(bytes, at, this.count);
    at = writeVarint(bytes, at, keyBytes);
    if (typeof key === 'string') at = writeUtf8(key, bytes, at);
    else if (key !== null) {
      bytes.set(key, at);
      at += keyBytes;
    }
    at = writeVarint(bytes, at, valueBytes);
    if (value !== null) {
      bytes.set(value, at);
      at += valueBytes;
    }
    bytes[at++] = 0;
    this.#end = at;
    this.count++;
  }

  /** Lets others use its memory: neither it nor what it has sealed may be used any more. */
  recycle(): void {
    const { length } = this.#bytes;
    if (kept.length >= KEPT.buffers || length < KEPT.leastBytes || length > KEPT.mostBytes) return;
    kept.push(this.#bytes);
    this.#bytes = NOTHING;
  }

  /** The batch as it goes over the wire; it lies in the builder's own memory, mostly. */
  seal({ stamp, timestampMs, compression = 'none' }: SealOptions): Buffer {
    let batch = this.#bytes.subarray(0, this.#end);
    let codec = 0;
    if (compression !== 'none') {
      const packed = compress(compression, batch.subarray(HEADER_BYTES));
      if (packed.length < batch.length - HEADER_BYTES) {
        codec = compressionNumber(compression);
        batch = Buffer.allocUnsafe(HEADER_BYTES + packed.length);
        packed.copy(batch, HEADER_BYTES);
      }
    }
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(-1, 12);
    batch[16] = 2;
    const transactional = stamp.transactional ? TRANSACTIONAL : 0;
    batch.writeInt16BE(codec | transactional, 21);
    batch.writeInt32BE(this.count - 1, 23);
    batch.writeBigInt64BE(BigInt(timestampMs), 27);
    batch.writeBigInt64BE(BigInt(timestampMs), 35);
    batch.writeBigInt64BE(stamp.producerId, 43);
    batch.writeInt16BE(stamp.producerEpoch, 51);
    batch.writeInt32BE(stamp.baseSequence, 53);
    batch.writeInt32BE(this.count, 57);
    batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), 17);
    return batch;
  }

  #reserve(bytes: number): void {
    const wanted = this.#end + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** A batch as it was fetched; its records are unpacked when a cursor asks for them. */
export class RecordBatch {
  readonly baseOffset: number;
  /** Offset of the record after its last one. */
  readonly endOffset: number;
  readonly count: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** Holds no records but the marker that ends a transaction. */
  readonly isControl: boolean;
  readonly sizeBytes: number;
  readonly #bytes: Buffer;
  #records: Buffer | null = null;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    const attributes = bytes.readInt16BE(21);
    this.baseOffset = readInt64(bytes, 0);
    this.endOffset = this.baseOffset + bytes.readInt32BE(23) + 1;
    this.count = bytes.readInt32BE(57);
    this.producerId = bytes.readBigInt64BE(43);
    this.isTransactional = (attributes & TRANSACTIONAL) !== 0;
    this.isControl = (attributes & CONTROL) !== 0;
    this.sizeBytes = bytes.length;
  }

  /** All its records, unpacked. Throws `log_corrupt` when the checksum doesn't hold. */
  get records(): Buffer {
    if (this.#records !== null) return this.#records;
    const bytes = this.#bytes;
    if (crc32c(bytes.subarray(CHECKED_FROM)) !== bytes.readUInt32BE(17)) {
      throw new LullError('log_corrupt', `the batch at offset ${this.baseOffset} is damaged`);
    }
    const codec = bytes.readInt16BE(21) & CODEC;
    const packed = bytes.subarray(HEADER_BYTES);
    this.#records = codec === 0 ? packed : decompress(codec, packed);
    return this.#records;
  }

  /** Of the first record; the others count from it. */
  get baseTimestampMs(): number {
    return readInt64(this.#bytes, 27);
  }

  /** When the broker appended it; null where records carry their writer's time. */
  get appendedMs(): number | null {
    return (this.#bytes.readInt16BE(21) & LOG_APPEND_TIME) === 0
      ? null
      : readInt64(this.#bytes, 35);
  }

  /** Of a control batch: whether its transaction was aborted. */
  get isAbort(): boolean {
    const cursor = new RecordCursor(this);
    return cursor.next() && cursor.bytes.readInt16BE(cursor.keyStart + 2) === 0;
  }
}

/** The whole batches in what a broker answered; the last one may be cut off, and is left out. */
export function splitBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    if (bytes[at + 16] !== 2) {
      throw new LullError('log_corrupt', `a batch has the unknown version ${bytes[at + 16]}`);
    }
    batches.push(new RecordBatch(bytes.subarray(at, end)));
    at = end;
  }
  return batches;
}

/** Steps through a batch: after `next()` the fields say where the record's parts lie in `bytes`. */
export class RecordCursor {
  readonly bytes: Buffer;
  offset = -1;
  timestampMs = 0;
  /** -1 where there is no key. */
  keyStart = -1;
  keyEnd = -1;
  /** -1 for a tombstone. */
  valueStart = -1;
  valueEnd = -1;
  readonly #baseOffset: number;
  readonly #baseTimestampMs: number;
  readonly #appendedMs: number | null;
  #left: number;
  #at = 0;

  constructor(batch: RecordBatch) {
    this.bytes = batch.records;
    this.#baseOffset = batch.baseOffset;
    this.#baseTimestampMs = batch.baseTimestampMs;
    this.#appendedMs = batch.appendedMs;
    this.#left = batch.count;
  }

  /** False when there is no further record. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    const length = this.#varint();
    const end = this.#at + length;
    this.#at++; // Attributes: none are defined.
    const delta = this.#varint();
    this.timestampMs = this.#appendedMs ?? this.#baseTimestampMs + delta;
    this.offset = this.#baseOffset + this.#varint();
    const keyBytes = this.#varint();
    this.keyStart = keyBytes < 0 ? -1 : this.#at;
    this.keyEnd = keyBytes < 0 ? -1 : this.#at + keyBytes;
    if (keyBytes > 0) this.#at += keyBytes;
    const valueBytes = this.#varint();
    this.valueStart = valueBytes < 0 ? -1 : this.#at;
    this.valueEnd = valueBytes < 0 ? -1 : this.#at + valueBytes;
    // What follows are headers, which nothing here needs.
    this.#at = end;
    if (length <= 0 || end > this.bytes.length || this.valueEnd > end) {
      throw new LullError('log_corrupt', `the record at offset ${this.offset} is damaged`);
    }
    return true;
  }

  /** Zigzag, up to 64 bits; exact up to 53. */
  #varint(): number {
    const { bytes } = this;
    let byte = bytes[this.#at++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_POW_32 + bytes.readUInt32BE(at + 4);
}

function varintBytes(value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  let count = 1;
  while (zigzag >= 0x80) {
    zigzag >>>= 7;
    count++;
  }
  return count;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  let end = at;
  while (zigzag >= 0x80) {
    bytes[end++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  bytes[end++] = zigzag;
  return end;
}
