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
import { type LogRecord, type NewRecord, RecordView } from './log.ts';

export const BLOCK_HEADER_BYTES = 36;
const RECORD_HEADER_BYTES = 8;

/** A run of blocks in memory. */
export class Stretch {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Begins the checksum of a block at its start; those behind add their distance to it. */
  readonly seed: number;
  /** Written by us: its blocks need no check. */
  readonly isOurs: boolean;

  constructor(bytes: Buffer, seed: number, isOurs: boolean) {
    this.bytes = bytes;
    this.seed = seed;
    this.isOurs = isOurs;
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

/** Bytes that a record takes in a block, at most. */
export function recordBound(record: NewRecord): number {
  return RECORD_HEADER_BYTES + record.key.length * 3 + record.value.length;
}

/** Writes a block of header.count records at `at`, checksum and all; returns where it ends. */
export function writeBlock(
  stretch: Stretch,
  at: number,
  header: BlockHeader,
  records: readonly NewRecord[],
  firstIndex: number,
): number {
  const { bytes, view } = stretch;
  let end = at + BLOCK_HEADER_BYTES;
  for (let index = firstIndex; index < firstIndex + header.count; index++) {
    const { key, value } = records[index]!;
    const keyStart = end + RECORD_HEADER_BYTES;
    const keyEnd = writeUtf8(key, bytes, keyStart);
    view.setUint32(end, keyEnd - keyStart, true);
    view.setUint32(end + 4, value.length, true);
    bytes.set(value, keyEnd);
    end = keyEnd + value.length;
  }
  sealBlock(stretch, at, end, header);
  return end;
}

/** Writes the header of a block whose payload is in place. */
export function sealBlock(stretch: Stretch, at: number, end: number, header: BlockHeader): void {
  const { view } = stretch;
  view.setUint32(at + 4, end - at - BLOCK_HEADER_BYTES, true);
  view.setUint32(at + 8, header.partition, true);
  view.setUint32(at + 12, header.count, true);
  view.setFloat64(at + 16, header.firstOffset, true);
  view.setFloat64(at + 24, header.arrivalMs, true);
  view.setUint32(at + 32, header.syncedTo, true);
  view.setUint32(at, checksum(stretch, at, end), true);
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
export function checkBlock(stretch: Stretch, at: number, limit: number): number {
  const end = blockEnd(stretch, at, limit);
  if (end === Infinity) return 0;
  return checksum(stretch, at, end) === stretch.view.getUint32(at, true) ? end : 0;
}

/** Begun with the block's place, so that it counts nowhere else. */
function checksum({ bytes, seed }: Stretch, at: number, end: number): number {
  return crc32c(bytes.subarray(at + 4, end), (seed + at) >>> 0);
}

/** Which records to take out of a stretch. */
export interface Wanted {
  readonly partition: number;
  readonly fromOffset: number;
  /** Stops when this many bytes of keys and values are taken, but not before one record is. */
  readonly budgetBytes: number;
}

/**
 * Adds the wanted records of the blocks below `limit` to `records`, and returns what is left of the
 * budget; null when it meets damage. Values are views of the stretch.
 */
export function readRecords(
  stretch: Stretch,
  limit: number,
  { partition, fromOffset, budgetBytes }: Wanted,
  records: LogRecord[],
): number | null {
  const { bytes, view, isOurs } = stretch;
  let budget = budgetBytes;
  let expected = fromOffset;
  for (let at = 0, end = 0; at < limit; at = end) {
    end = blockEnd(stretch, at, limit);
    if (end === Infinity) return null;
    if (view.getUint32(at + 8, true) !== partition) continue;
    const firstOffset = view.getFloat64(at + 16, true);
    if (firstOffset + view.getUint32(at + 12, true) <= expected) continue;
    // A damaged length of another partition's block may have led past some of ours.
    if (firstOffset > expected) return null;
    if (!isOurs && checkBlock(stretch, at, limit) === 0) return null;
    const arrivalMs = view.getFloat64(at + 24, true);
    let offset = firstOffset;
    for (let next = at + BLOCK_HEADER_BYTES; next < end; offset++) {
      const keyStart = next + RECORD_HEADER_BYTES;
      const keyEnd = keyStart + view.getUint32(next, true);
      next = keyEnd + view.getUint32(next + 4, true);
      if (offset < expected) continue;
      if (budget <= 0 && records.length > 0) return budget;
      records.push(new RecordView(offset, arrivalMs, bytes, keyStart, keyEnd, next));
      budget -= next - keyStart;
    }
    expected = offset;
  }
  return budget;
}
