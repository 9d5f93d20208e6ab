/**
 * A block: consecutive records of one partition, written at once, with a checksum; the only thing
 * that a segment file consists of.
 *
 * ```
 *  0 u32 checksum      CRC32C of all that follows, begun with the block's place in its log
 *  4 u32 payloadBytes
 *  8 u32 partition
 * 12 u32 count         records in the payload
 * 16 f64 firstOffset   the others follow it without holes
 * 24 f64 arrivalMs     of all its records
 * 32 u32 syncedTo      position in this file up to which it was synced before this was written
 * 36     payload       for each record: u32 keyBytes, u32 valueBytes, key, value
 * ```
 * Numbers are little-endian.
 */
import { crc32c } from '@node-rs/crc32';
import { writeUtf8 } from '../core/hash.ts';
import type { LogRecord, NewRecord } from './log.ts';

export const BLOCK_HEADER_BYTES = 36;
const RECORD_HEADER_BYTES = 8;

/** A run of blocks in memory. */
export class Stretch {
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

export interface BlockHeader {
  readonly partition: number;
  readonly count: number;
  readonly firstOffset: number;
  readonly arrivalMs: number;
  readonly syncedTo: number;
}

/** records[from, to), and what the checksum begins with. */
export interface BlockRecords {
  readonly records: readonly NewRecord[];
  readonly from: number;
  readonly to: number;
  readonly seed: number;
}

/** Bytes that a record takes in a block, at most. */
export function recordBound(record: NewRecord): number {
  return RECORD_HEADER_BYTES + record.key.length * 3 + record.value.length;
}

/** Writes a block at `at`, checksum and all, and returns where it ends. */
export function writeBlock(
  stretch: Stretch,
  at: number,
  header: BlockHeader,
  { records, from, to, seed }: BlockRecords,
): number {
  const { bytes, view } = stretch;
  let end = at + BLOCK_HEADER_BYTES;
  for (let index = from; index < to; index++) {
    const { key, value } = records[index]!;
    const keyStart = end + RECORD_HEADER_BYTES;
    const keyEnd = writeUtf8(key, bytes, keyStart);
    view.setUint32(end, keyEnd - keyStart, true);
    view.setUint32(end + 4, value.length, true);
    bytes.set(value, keyEnd);
    end = keyEnd + value.length;
  }
  sealBlock(stretch, at, end, header, seed);
  return end;
}

/** Writes the header of a block whose payload is in place. */
export function sealBlock(
  { bytes, view }: Stretch,
  at: number,
  end: number,
  header: BlockHeader,
  seed: number,
): void {
  view.setUint32(at + 4, end - at - BLOCK_HEADER_BYTES, true);
  view.setUint32(at + 8, header.partition, true);
  view.setUint32(at + 12, header.count, true);
  view.setFloat64(at + 16, header.firstOffset, true);
  view.setFloat64(at + 24, header.arrivalMs, true);
  view.setUint32(at + 32, header.syncedTo, true);
  view.setUint32(at, crc32c(bytes.subarray(at + 4, end), seed), true);
}

export function blockHeader({ view }: Stretch, at: number): BlockHeader {
  return {
    partition: view.getUint32(at + 8, true),
    count: view.getUint32(at + 12, true),
    firstOffset: view.getFloat64(at + 16, true),
    arrivalMs: view.getFloat64(at + 24, true),
    syncedTo: view.getUint32(at + 32, true),
  };
}

/** Where the block at `at` ends by its own account; beyond `limit` when it can't be whole. */
export function blockEnd({ view }: Stretch, at: number, limit: number): number {
  if (at + BLOCK_HEADER_BYTES > limit) return Infinity;
  const end = at + BLOCK_HEADER_BYTES + view.getUint32(at + 4, true);
  return end > limit ? Infinity : end;
}

/** Where the block ends; 0 when there is no whole, undamaged block at `at` below `limit`. */
export function checkBlock(stretch: Stretch, at: number, limit: number, seed: number): number {
  const end = blockEnd(stretch, at, limit);
  if (end === Infinity) return 0;
  const checksum = crc32c(stretch.bytes.subarray(at + 4, end), seed);
  return checksum === stretch.view.getUint32(at, true) ? end : 0;
}

/**
 * Adds the partition's records from `fromOffset` on to `records`, in blocks below `limit`, until
 * `budgetBytes` are spent, but one at least; returns what is left of the budget. Values are views
 * of the stretch.
 */
export function readRecords(
  { bytes, view }: Stretch,
  limit: number,
  partition: number,
  fromOffset: number,
  budgetBytes: number,
  records: LogRecord[],
): number {
  let budget = budgetBytes;
  let at = 0;
  while (at < limit) {
    const end = at + BLOCK_HEADER_BYTES + view.getUint32(at + 4, true);
    const firstOffset = view.getFloat64(at + 16, true);
    const count = view.getUint32(at + 12, true);
    if (view.getUint32(at + 8, true) !== partition || firstOffset + count <= fromOffset) {
      at = end;
      continue;
    }
    const arrivalMs = view.getFloat64(at + 24, true);
    at += BLOCK_HEADER_BYTES;
    for (let offset = firstOffset; at < end; offset++) {
      const keyStart = at + RECORD_HEADER_BYTES;
      const keyEnd = keyStart + view.getUint32(at, true);
      const valueEnd = keyEnd + view.getUint32(at + 4, true);
      at = valueEnd;
      if (offset < fromOffset) continue;
      if (budget <= 0 && records.length > 0) return budget;
      const key = bytes.toString('utf8', keyStart, keyEnd);
      records.push({ offset, arrivalMs, key, value: bytes.subarray(keyEnd, valueEnd) });
      budget -= valueEnd - keyStart;
    }
  }
  return budget;
}
