/** The segment that is open for writing: lays records out in blocks, then writes and syncs them. */
import { LullError } from '../errors.ts';
import { BLOCK_HEADER_BYTES, recordBound, writeBlock } from './block.ts';
import { type Files, type LogFile, writeWhole } from './files.ts';
import type { NewRecord } from './log.ts';
import {
  encodeIndex,
  encodeStart,
  type IndexRow,
  Segment,
  type SegmentStart,
  STRETCH_BYTES,
} from './segment.ts';
import type { StretchCache } from './stretch-cache.ts';

/** A block takes no more than this, unless a single record does. */
const BLOCK_BYTES = 64 * 1024;

/** Where a writer keeps what it makes. */
export interface SegmentPlace {
  readonly files: Files;
  readonly directory: string;
  readonly logId: string;
  readonly cache: StretchCache;
}

/**
 * Takes one group of records at a time: `add` them, `write`, then `accept` to make them readable,
 * or `undo`. The calls of one writer never overlap.
 */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #place: SegmentPlace;
  readonly #file: LogFile;
  /** By partition: the offset of the next record, those not yet accepted included. */
  readonly #nextOffsets: Float64Array;
  /** Where the next block goes in the file. */
  #position: number;
  #acceptedRows = 1;
  #syncedTo: number;
  /** Something may lie in the file beyond what was accepted. */
  #mustCut = false;

  private constructor(place: SegmentPlace, file: LogFile, segment: Segment) {
    this.segment = segment;
    this.#place = place;
    this.#file = file;
    this.#nextOffsets = segment.endOffsets.slice();
    this.#position = segment.lengthBytes;
    this.#syncedTo = segment.lengthBytes;
  }

  /** Makes the file with its first block, durable before any other follows. */
  static async create(
    place: SegmentPlace,
    number: number,
    start: SegmentStart,
  ): Promise<SegmentWriter> {
    const { files, directory, logId } = place;
    const segment = new Segment(directory, logId, number, start);
    const first = encodeStart(segment.seed, start);
    const file = await files.open(segment.path, 'create');
    try {
      await file.write(first, 0);
      await file.sync();
      await files.syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    addWritableRow(segment, 0, segment.baseOffsets, first.length).stretch!.bytes.set(first);
    segment.lengthBytes = first.length;
    return new SegmentWriter(place, file, segment);
  }

  /** Lays records of a partition out behind those already added; returns the first one's offset. */
  add(partition: number, records: readonly NewRecord[], nowMs: number): number {
    const { arrivalsMs } = this.segment;
    const arrivalMs = Math.max(nowMs, arrivalsMs[partition]!);
    arrivalsMs[partition] = arrivalMs;
    const firstOffset = this.#nextOffsets[partition]!;
    for (let from = 0, to = 0; from < records.length; from = to) {
      let bytes = BLOCK_HEADER_BYTES;
      do {
        bytes += recordBound(records[to++]!);
      } while (to < records.length && bytes + recordBound(records[to]!) <= BLOCK_BYTES);
      const row = this.#rowWithRoom(bytes);
      const header = {
        partition,
        count: to - from,
        firstOffset: firstOffset + from,
        arrivalMs,
        syncedTo: this.#syncedTo,
      };
      const at = this.#position - row.position;
      this.#position = row.position + writeBlock(row.stretch!, at, header, records, from);
      this.#nextOffsets[partition] = firstOffset + to;
    }
    return firstOffset;
  }

  /** Writes what was added; after a rejection, `undo` it. */
  async write(): Promise<void> {
    await this.#cutBack();
    const { rows, lengthBytes } = this.segment;
    this.#mustCut = true;
    for (let index = this.#acceptedRows - 1; index < rows.length; index++) {
      const { position, stretch } = rows[index]!;
      const from = Math.max(position, lengthBytes);
      const to = rows[index + 1]?.position ?? this.#position;
      await this.#file.write(stretch!.bytes.subarray(from - position, to - position), from);
    }
    this.#mustCut = false;
  }

  /** Rejects with `log_failed`: what a failed sync left on the disk can't be known any more. */
  async sync(): Promise<void> {
    const position = this.#position;
    try {
      await this.#file.sync();
    } catch (cause) {
      const { path } = this.segment;
      throw new LullError('log_failed', `${path} can't be synced: ${cause}`, { cause });
    }
    this.#syncedTo = position;
  }

  /** Makes what was written readable; returns the partitions whose end has moved. */
  accept(): number[] {
    const { segment } = this;
    const moved: number[] = [];
    for (const [partition, nextOffset] of this.#nextOffsets.entries()) {
      if (nextOffset > segment.endOffsets[partition]!) moved.push(partition);
    }
    segment.endOffsets.set(this.#nextOffsets);
    segment.lengthBytes = this.#position;
    for (; this.#acceptedRows < segment.rows.length; this.#acceptedRows++) {
      this.#place.cache.keep(segment.rows[this.#acceptedRows - 1]!);
    }
    return moved;
  }

  /** Forgets what was added and not accepted. */
  undo(): void {
    this.#position = this.segment.lengthBytes;
    this.#nextOffsets.set(this.segment.endOffsets);
    this.segment.rows.length = this.#acceptedRows;
  }

  /** Finishes the file: all of it synced, and its index beside it. */
  async seal(): Promise<void> {
    const { files, directory, cache } = this.#place;
    const { segment } = this;
    await this.#cutBack();
    if (this.#syncedTo < segment.lengthBytes) await this.sync();
    const index = encodeIndex(segment);
    await writeWhole(files, directory, segment.indexPath, index);
    segment.indexBytes = index.length;
    cache.keep(segment.rows.at(-1)!);
    await this.close();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Blocks of a failed write must not be found behind later ones. */
  async #cutBack(): Promise<void> {
    if (!this.#mustCut) return;
    await this.#file.truncate(this.segment.lengthBytes);
    await this.sync();
    this.#mustCut = false;
  }

  #rowWithRoom(bytes: number): IndexRow {
    const { rows } = this.segment;
    const last = rows.at(-1)!;
    if (this.#position - last.position + bytes <= last.stretch!.bytes.length) return last;
    return addWritableRow(this.segment, this.#position, this.#nextOffsets, bytes);
  }
}

function addWritableRow(
  segment: Segment,
  position: number,
  nextOffsets: Float64Array,
  atLeastBytes: number,
): IndexRow {
  const bytes = Buffer.allocUnsafeSlow(Math.max(STRETCH_BYTES, atLeastBytes));
  segment.addRow(position, nextOffsets, segment.stretchAt(position, bytes, true));
  return segment.rows.at(-1)!;
}
