/** A segment file as the log remembers it: where it starts, where it ends, and a sparse index. */
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { BLOCK_HEADER_BYTES, blockHeader, checkBlock, Stretch, sealBlock } from './block.ts';

/** Blocks are read in stretches of this size; a larger block is a stretch of its own. */
export const STRETCH_BYTES = 256 * 1024;

/** In place of a partition: marks the block with which each segment file begins. */
export const START_PARTITION = 0xffff_ffff;

const INDEX_FORMAT = 1;

/** A stretch of a segment: where it begins, and which offsets come next there. */
export interface IndexRow {
  readonly position: number;
  /** By partition. */
  readonly nextOffsets: Float64Array;
  /** Its blocks, while they are in memory. */
  stretch: Stretch | null;
  loading: Promise<void> | null;
}

/** What a segment file starts from. */
export interface SegmentStart {
  /** By partition: the first offset that it may hold. */
  readonly baseOffsets: Float64Array;
  /** By partition: the last arrival before it. */
  readonly arrivalsMs: Float64Array;
  /** Nothing in it is served before it is synced. */
  readonly alwaysSynced: boolean;
}

export class Segment {
  readonly number: number;
  readonly path: string;
  readonly indexPath: string;
  /** Begins the checksum of each block, so that none is taken for one of another file. */
  readonly seed: number;
  readonly alwaysSynced: boolean;
  readonly baseOffsets: Float64Array;
  /** By partition: one more than its last offset. */
  readonly endOffsets: Float64Array;
  /** By partition: the arrival of its last record, or of the last one before it. */
  readonly arrivalsMs: Float64Array;
  readonly rows: IndexRow[] = [];
  /** Valid bytes of the file. */
  lengthBytes = 0;
  /** Offsets left out after its end, in each partition: see `recovery.ts`. */
  skippedOffsets = 0;
  /** Zero until it is sealed. */
  indexBytes = 0;

  constructor(directory: string, logId: string, number: number, start: SegmentStart) {
    this.number = number;
    this.path = segmentPath(directory, number);
    this.indexPath = indexPath(directory, number);
    this.seed = segmentSeed(logId, number);
    this.alwaysSynced = start.alwaysSynced;
    this.baseOffsets = start.baseOffsets.slice();
    this.endOffsets = start.baseOffsets.slice();
    this.arrivalsMs = start.arrivalsMs.slice();
  }

  get sizeBytes(): number {
    return this.lengthBytes + this.indexBytes;
  }

  holds(partition: number): boolean {
    return this.endOffsets[partition]! > this.baseOffsets[partition]!;
  }

  /** Where the stretch of a row ends, as far as it can be read. */
  stretchEnd(row: number): number {
    return Math.min(this.rows[row + 1]?.position ?? Infinity, this.lengthBytes);
  }

  /** The row whose stretch holds the offset, which must lie within the segment. */
  rowOf(partition: number, offset: number): number {
    return lastIndexWhere(this.rows, (row) => row.nextOffsets[partition]! <= offset);
  }

  /** Bytes of this file from a position on. */
  stretchAt(position: number, bytes: Buffer, isOurs: boolean): Stretch {
    return new Stretch(bytes, this.seed + position, isOurs);
  }

  addRow(position: number, nextOffsets: Float64Array, stretch: Stretch | null): void {
    const row = { position, nextOffsets: nextOffsets.slice(), stretch, loading: null };
    this.rows.push(row);
  }
}

/** The last item for which the condition holds, where it holds for the first ones only. */
export function lastIndexWhere<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = -1;
  let high = items.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle]!)) low = middle;
    else high = middle;
  }
  return low;
}

const SEGMENT_NAME = /^(\d{10})\.(log|index)$/;

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.log`);
}

function indexPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.index`);
}

export function parseSegmentName(name: string): { number: number; kind: string } | null {
  const match = SEGMENT_NAME.exec(name);
  return match === null ? null : { number: Number(match[1]), kind: match[2]! };
}

export function segmentSeed(logId: string, number: number): number {
  return crc32c(`${logId}/${number}`);
}

/** Size of the block that begins a segment file. */
export function startBytes(partitionCount: number): number {
  return BLOCK_HEADER_BYTES + 16 * partitionCount;
}

export function encodeStart(seed: number, start: SegmentStart): Buffer {
  const values = Float64Array.of(...start.baseOffsets, ...start.arrivalsMs);
  const bytes = Buffer.alloc(startBytes(start.baseOffsets.length));
  bytes.set(new Uint8Array(values.buffer), BLOCK_HEADER_BYTES);
  sealBlock(new Stretch(bytes, seed, true), 0, bytes.length, {
    partition: START_PARTITION,
    count: 0,
    firstOffset: start.alwaysSynced ? 1 : 0,
    arrivalMs: 0,
    syncedTo: 0,
  });
  return bytes;
}

/** What a segment file says that it starts from; null when its first block is damaged. */
export function decodeStart(stretch: Stretch): SegmentStart | null {
  const end = checkBlock(stretch, 0, stretch.bytes.length);
  if (end === 0) return null;
  const header = blockHeader(stretch, 0);
  if (header.partition !== START_PARTITION) return null;
  const values = floats(stretch.bytes.subarray(BLOCK_HEADER_BYTES, end));
  return {
    baseOffsets: values.slice(0, values.length / 2),
    arrivalsMs: values.slice(values.length / 2),
    alwaysSynced: header.firstOffset === 1,
  };
}

/** The index file of a sealed segment: numbers, then their checksum. */
export function encodeIndex(segment: Segment): Buffer {
  const values = Float64Array.of(
    INDEX_FORMAT,
    segment.baseOffsets.length,
    segment.lengthBytes,
    segment.skippedOffsets,
    segment.alwaysSynced ? 1 : 0,
    ...segment.baseOffsets,
    ...segment.endOffsets,
    ...segment.arrivalsMs,
    ...segment.rows.flatMap((row) => [row.position, ...row.nextOffsets]),
  );
  const bytes = Buffer.alloc(values.byteLength + 4);
  bytes.set(new Uint8Array(values.buffer));
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4), segment.seed), values.byteLength);
  return bytes;
}

/** The segment as its index file describes it; null when that is damaged or of another format. */
export function decodeIndex(
  directory: string,
  logId: string,
  number: number,
  bytes: Buffer,
): Segment | null {
  const seed = segmentSeed(logId, number);
  if (bytes.length < 4 || bytes.length % 8 !== 4) return null;
  const checksum = bytes.readUInt32LE(bytes.length - 4);
  if (crc32c(bytes.subarray(0, -4), seed) !== checksum) return null;
  const values = floats(bytes.subarray(0, -4));
  if (values[0] !== INDEX_FORMAT) return null;
  const partitionCount = values[1]!;
  const at = (start: number) => values.slice(start, start + partitionCount);
  const baseOffsets = at(5);
  const endOffsets = at(5 + partitionCount);
  const arrivalsMs = at(5 + 2 * partitionCount);
  const alwaysSynced = values[4] === 1;
  const segment = new Segment(directory, logId, number, { baseOffsets, arrivalsMs, alwaysSynced });
  segment.endOffsets.set(endOffsets);
  segment.lengthBytes = values[2]!;
  segment.skippedOffsets = values[3]!;
  segment.indexBytes = bytes.length;
  for (let row = 5 + 3 * partitionCount; row < values.length; row += 1 + partitionCount) {
    segment.addRow(values[row]!, at(row + 1), null);
  }
  return segment;
}

/** The numbers in these bytes, which may lie anywhere. */
function floats(bytes: Uint8Array): Float64Array {
  return new Float64Array(new Uint8Array(bytes).buffer);
}
