/**
 * Finds the segments of a log again. Only the last one can have been open; what a crash left at its
 * end is cut off, and it is sealed. Damage anywhere else is refused.
 */
import { LullError } from '../errors.ts';
import { BLOCK_HEADER_BYTES, blockHeader, checkBlock, Stretch } from './block.ts';
import { type Files, readWhole, writeWhole } from './files.ts';
import {
  decodeIndex,
  decodeStart,
  encodeIndex,
  parseSegmentName,
  Segment,
  STRETCH_BYTES,
  segmentPath,
  segmentSeed,
  startBytes,
} from './segment.ts';

/**
 * A log that doesn't sync before it answers may lose records that were already read. Their offsets
 * must not be given out twice, so this many are left out then: more than any segment holds.
 */
const SKIPPED_OFFSETS = 1_000_000_000;

export interface Recovered {
  /** Oldest first, all sealed. */
  readonly segments: Segment[];
  /** Bytes of unfinished writes that were cut off. */
  readonly cutBytes: number;
}

export async function recoverSegments(
  files: Files,
  directory: string,
  logId: string,
  partitionCount: number,
): Promise<Recovered> {
  const numbers = await tidyFolder(files, directory);
  const segments: Segment[] = [];
  let cutBytes = 0;
  for (const [index, number] of numbers.entries()) {
    if (index > 0 && number !== numbers[index - 1]! + 1) {
      throw corrupt(segmentPath(directory, number - 1), 'is missing');
    }
    const isLast = index === numbers.length - 1;
    const sealed = await readSealed(files, directory, logId, number);
    if (sealed !== null) {
      segments.push(sealed);
      continue;
    }
    const reopened = await sealAgain(files, directory, logId, partitionCount, number, isLast);
    cutBytes += reopened.cutBytes;
    if (reopened.segment !== null) segments.push(reopened.segment);
  }
  checkOrder(segments);
  return { segments, cutBytes };
}

/** Numbers of the segments, rising; drafts and indexes without a segment are removed. */
async function tidyFolder(files: Files, directory: string): Promise<number[]> {
  const names = await files.list(directory);
  const present = new Set(names);
  const numbers: number[] = [];
  for (const name of names) {
    const parsed = parseSegmentName(name);
    const isOrphan = parsed?.kind === 'index' && !present.has(name.replace('.index', '.log'));
    if (isOrphan || name.endsWith('.tmp')) await files.remove(`${directory}/${name}`);
    if (parsed?.kind === 'log') numbers.push(parsed.number);
  }
  return numbers.sort((left, right) => left - right);
}

/** A segment from its index file; null when that is missing or damaged. */
async function readSealed(
  files: Files,
  directory: string,
  logId: string,
  number: number,
): Promise<Segment | null> {
  const path = segmentPath(directory, number);
  const bytes = await readWhole(files, path.replace(/log$/, 'index'));
  const segment = bytes === null ? null : decodeIndex(directory, logId, number, bytes);
  if (segment === null) return null;
  const file = await files.open(path, 'read');
  const lengthBytes = await file.size().finally(() => file.close());
  if (lengthBytes === segment.lengthBytes) return segment;
  throw corrupt(path, `has ${lengthBytes} bytes instead of ${segment.lengthBytes}`);
}

/** Reads a segment that has no index file, cuts what is torn when it is the last, and seals it. */
async function sealAgain(
  files: Files,
  directory: string,
  logId: string,
  partitionCount: number,
  number: number,
  isLast: boolean,
): Promise<{ segment: Segment | null; cutBytes: number }> {
  const path = segmentPath(directory, number);
  const bytes = (await readWhole(files, path)) ?? Buffer.alloc(0);
  const stretch = new Stretch(bytes, segmentSeed(logId, number), false);
  const start = decodeStart(stretch);
  if (start === null) {
    // It is synced before anything follows it: no longer than that, the file was only begun.
    const isBegun = isLast && bytes.length <= startBytes(partitionCount);
    if (!isBegun) throw corrupt(path, 'is damaged at its start');
    await files.remove(path);
    await files.syncDirectory(directory);
    return { segment: null, cutBytes: bytes.length };
  }
  if (start.baseOffsets.length !== partitionCount) throw corrupt(path, 'has other partitions');
  const segment = new Segment(directory, logId, number, start);
  indexBlocks(segment, stretch);
  const { lengthBytes } = segment;
  if (lengthBytes < bytes.length) {
    const intact = findBlockAfter(stretch, lengthBytes, partitionCount);
    if (!isLast || intact >= 0) {
      throw corrupt(path, `is damaged at byte ${lengthBytes}, before its end`);
    }
  }
  // Sync even when nothing is cut: what a killed process wrote may not be on the disk yet.
  const file = await files.open(path, 'write');
  try {
    if (lengthBytes < bytes.length) await file.truncate(lengthBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  if (isLast && !segment.alwaysSynced) segment.skippedOffsets = SKIPPED_OFFSETS;
  const index = encodeIndex(segment);
  await writeWhole(files, directory, segment.indexPath, index);
  segment.indexBytes = index.length;
  return { segment, cutBytes: bytes.length - lengthBytes };
}

/** Walks the blocks up to the first that is damaged, and builds the segment's index from them. */
function indexBlocks(segment: Segment, stretch: Stretch): void {
  const limit = stretch.bytes.length;
  const nextOffsets = segment.endOffsets;
  segment.addRow(0, nextOffsets, null);
  let rowStart = 0;
  let at = 0;
  for (;;) {
    const end = checkBlock(stretch, at, limit);
    if (end === 0) break;
    const { partition, count, firstOffset, arrivalMs } = blockHeader(stretch, at);
    if (at > 0) {
      if (firstOffset !== nextOffsets[partition]) break;
      if (end - rowStart > STRETCH_BYTES) {
        segment.addRow(at, nextOffsets, null);
        rowStart = at;
      }
      nextOffsets[partition] = firstOffset + count;
      segment.arrivalsMs[partition] = arrivalMs;
    }
    at = end;
  }
  segment.lengthBytes = at;
}

/**
 * Position of an intact block that shows the damage at `damagedAt` to be no torn write: when it was
 * written, everything up to there had been synced. -1 when there is none.
 */
function findBlockAfter(stretch: Stretch, damagedAt: number, partitionCount: number): number {
  const limit = stretch.bytes.length;
  for (let at = damagedAt + 1; at + BLOCK_HEADER_BYTES <= limit; at++) {
    const syncedTo = stretch.view.getUint32(at + 32, true);
    if (syncedTo <= damagedAt || syncedTo > at) continue;
    if (stretch.view.getUint32(at + 8, true) >= partitionCount) continue;
    if (checkBlock(stretch, at, limit) > 0) return at;
  }
  return -1;
}

function checkOrder(segments: readonly Segment[]): void {
  for (const [index, segment] of segments.entries()) {
    const previous = segments[index - 1];
    if (previous === undefined) continue;
    const follows = segment.baseOffsets.every((base, p) => base >= previous.endOffsets[p]!);
    if (!follows) throw corrupt(segment.path, 'does not follow the one before it');
  }
}

function corrupt(path: string, what: string): LullError {
  return new LullError('log_corrupt', `${path} ${what}`);
}
