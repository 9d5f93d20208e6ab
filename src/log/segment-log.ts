/**
 * The embedded event log: one journal of segment files for all partitions of a topic, so that one
 * fdatasync makes a whole group of appends durable (docs/decisions/log-one-journal.md).
 */
import { join } from 'node:path';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import { readRecords, recordBound, type Stretch } from './block.ts';
import { explain } from './disk-error.ts';
import { type Files, systemFiles } from './files.ts';
import type { LogRecord, NewRecord, Topic } from './log.ts';
import { readLogId } from './log-id.ts';
import { type Recovered, recoverSegments } from './recovery.ts';
import { lastIndexWhere, type Segment } from './segment.ts';
import { type SegmentPlace, SegmentWriter } from './segment-writer.ts';
import { damaged, StretchCache } from './stretch-cache.ts';

export interface SegmentLogOptions {
  /** The log lives in its own folder there, called by its name. */
  readonly directory: string;
  readonly name: string;
  /** Fixed for the life of the log. */
  readonly partitionCount: number;
  /**
   * `always`: an append resolves, and its records can be read, once they are synced. `interval`:
   * once they are written; synced every second. `never`: the same, synced when a segment is full.
   */
  readonly fsync: 'always' | 'interval' | 'never';
  readonly clock: Clock;
  /** A new file is begun at about this size. */
  readonly segmentBytes?: number;
  /** Appends are refused beyond this. */
  readonly maxBytes?: number;
  readonly files?: Files;
}

export interface SegmentLog extends Topic {
  /** Bytes of unfinished writes that were cut off when it was opened. */
  readonly cutBytes: number;
}

/** Of one record: its value, and three bytes for each UTF-16 unit of its key. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;

const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Appends that wait are written together up to this size; one that is larger goes alone. */
const GROUP_BYTES = 4 * 1024 * 1024;
const SYNC_INTERVAL_MS = 1000;

/** Opens the log in this folder, or makes it. Rejects with `log_corrupt` and `data_mismatch`. */
export async function openSegmentLog(options: SegmentLogOptions): Promise<SegmentLog> {
  const { files = systemFiles, name, partitionCount } = options;
  const directory = join(options.directory, name);
  try {
    await files.makeDirectory(directory);
    const logId = await readLogId(files, directory, name, partitionCount);
    const recovered = await recoverSegments(files, directory, logId, partitionCount);
    return new JournalLog(options, files, directory, logId, recovered);
  } catch (error) {
    throw explain(error, `the log ${directory} can't be opened`);
  }
}

/** A call of `append` that waits for its group. */
interface PendingAppend {
  readonly records: readonly NewRecord[];
  /** At most, in the file. */
  readonly bytes: number;
  readonly resolve: (offsets: number[]) => void;
  readonly reject: (error: unknown) => void;
}

class JournalLog implements SegmentLog {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly cutBytes: number;
  readonly #options: SegmentLogOptions;
  readonly #segmentBytes: number;
  readonly #maxBytes: number;
  readonly #place: SegmentPlace;
  /** Oldest first; the last one is the writer's when there is a writer. */
  readonly #segments: Segment[];
  #nextNumber: number;
  #writer: SegmentWriter | null = null;
  readonly #firstOffsets: Float64Array;
  readonly #endOffsets: Float64Array;
  readonly #released: Float64Array;
  readonly #listeners = new Set<(partition: number) => void>();
  #pending: PendingAppend[] = [];
  /** The last of the jobs that change the files; they run one after another. */
  #lastJob: Promise<unknown> = Promise.resolve();
  readonly #stopSyncing = new AbortController();
  #syncPlanned = false;
  #closing: Promise<void> | null = null;
  #failure: LullError | null = null;

  constructor(
    options: SegmentLogOptions,
    files: Files,
    directory: string,
    logId: string,
    { segments, cutBytes }: Recovered,
  ) {
    this.name = options.name;
    this.logId = logId;
    this.partitionCount = options.partitionCount;
    this.cutBytes = cutBytes;
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? Infinity;
    this.#segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES, this.#maxBytes / 4);
    this.#place = { files, directory, logId, cache: new StretchCache(files) };
    this.#segments = segments;
    const last = segments.at(-1);
    this.#nextNumber = (last?.number ?? 0) + 1;
    this.#endOffsets = new Float64Array(this.partitionCount);
    if (last !== undefined) {
      this.#endOffsets.set(last.endOffsets.map((end) => end + last.skippedOffsets));
    }
    this.#released = new Float64Array(this.partitionCount);
    this.#firstOffsets = new Float64Array(this.partitionCount);
    this.#findFirstOffsets();
  }

  firstOffset(partition: number): number {
    return this.#firstOffsets[this.#known(partition)]!;
  }

  endOffset(partition: number): number {
    return this.#endOffsets[this.#known(partition)]!;
  }

  async offsetAt(partition: number, arrivalMs: number): Promise<number> {
    let low = this.firstOffset(partition);
    let high = this.endOffset(partition);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [record] = await this.read(partition, middle, 1);
      if (record !== undefined && record.arrivalMs < arrivalMs) low = record.offset + 1;
      else high = middle;
    }
    const [found] = await this.read(partition, low, 1);
    return found?.offset ?? this.endOffset(partition);
  }

  onAppend(listener: (partition: number) => void): () => void {
    // Each call counts for itself, also when it brings the same function again.
    const own = (partition: number) => listener(partition);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    this.#known(partition);
    this.#assertOpen();
    const records: LogRecord[] = [];
    let offset = Math.max(fromOffset, this.#firstOffsets[partition]!);
    let budgetBytes = maxBytes;
    while (offset < this.#endOffsets[partition]! && (budgetBytes > 0 || records.length === 0)) {
      const segment = this.#segmentWith(partition, offset);
      if (segment === undefined) break;
      offset = Math.max(offset, segment.baseOffsets[partition]!);
      const row = segment.rowOf(partition, offset);
      const { position } = segment.rows[row]!;
      const stretch = await this.#stretch(segment, row);
      if (stretch === null) {
        offset = Math.max(offset, this.#firstOffsets[partition]!);
        continue;
      }
      const limit = segment.stretchEnd(row) - position;
      const wanted = { partition, fromOffset: offset, budgetBytes };
      const budget = readRecords(stretch, limit, wanted, records);
      const lastOffset = records.at(-1)?.offset ?? -1;
      if (budget === null || lastOffset < offset) throw damaged(segment, position);
      budgetBytes = budget;
      offset = lastOffset + 1;
    }
    return records;
  }

  async append(records: readonly NewRecord[]): Promise<number[]> {
    let bytes = 0;
    for (const record of records) {
      this.#known(record.partition);
      bytes += checkedBound(record);
    }
    this.#assertOpen();
    if (records.length === 0) return [];
    return new Promise((resolve, reject) => {
      if (this.#pending.push({ records, bytes, resolve, reject }) === 1) this.#planGroup();
    });
  }

  async release(offsets: readonly number[]): Promise<void> {
    if (offsets.length !== this.partitionCount) throw new RangeError('one offset a partition');
    this.#assertOpen();
    for (const [partition, offset] of offsets.entries()) {
      this.#released[partition] = Math.max(this.#released[partition]!, offset);
    }
    await this.#job(() => this.#deleteReleased());
  }

  close(): Promise<void> {
    this.#closing ??= this.#job(() => this.#shut());
    this.#stopSyncing.abort();
    return this.#closing;
  }

  /** Runs it after all earlier jobs, whatever became of them. */
  #job<T>(work: () => Promise<T>): Promise<T> {
    const job = this.#lastJob.then(work);
    this.#lastJob = job.catch(() => {});
    return job;
  }

  #planGroup(): void {
    void this.#job(() => this.#writeGroup());
  }

  /** Appends that came while the last group was written go together into the next one. */
  async #writeGroup(): Promise<void> {
    const group = this.#takeGroup();
    if (group.length === 0) return;
    try {
      const offsets = await this.#store(group);
      for (const [index, { resolve }] of group.entries()) resolve(offsets[index]!);
    } catch (error) {
      const reason = this.#failed(error);
      for (const { reject } of group) reject(reason);
    }
  }

  #takeGroup(): PendingAppend[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length) {
      bytes += this.#pending[count]!.bytes;
      if (count > 0 && bytes > GROUP_BYTES) break;
      count++;
    }
    const group = this.#pending.splice(0, count);
    if (this.#pending.length > 0) this.#planGroup();
    return group;
  }

  async #store(group: readonly PendingAppend[]): Promise<number[][]> {
    if (this.#failure !== null) throw this.#failure;
    const writer = await this.#writerFor(group.reduce((sum, { bytes }) => sum + bytes, 0));
    let offsets: number[][];
    try {
      offsets = this.#layOut(writer, group);
      await writer.write();
    } catch (error) {
      writer.undo();
      throw error;
    }
    if (this.#options.fsync === 'always') await writer.sync();
    const moved = writer.accept();
    this.#endOffsets.set(writer.segment.endOffsets);
    if (this.#options.fsync === 'interval') this.#planSync();
    // Out of the job, so that a listener that throws breaks the process and not the log.
    queueMicrotask(() => {
      for (const listener of this.#listeners) for (const partition of moved) listener(partition);
    });
    return offsets;
  }

  /** Adds a group's records, each partition's together; returns the offsets, by call. */
  #layOut(writer: SegmentWriter, group: readonly PendingAppend[]): number[][] {
    const byPartition: NewRecord[][] = Array.from({ length: this.partitionCount }, () => []);
    const offsets = group.map(({ records }) =>
      records.map((record) => byPartition[record.partition]!.push(record) - 1),
    );
    const nowMs = this.#options.clock.nowMs();
    const firstOffsets = byPartition.map((records, partition) =>
      writer.add(partition, records, nowMs),
    );
    for (const [call, { records }] of group.entries()) {
      const own = offsets[call]!;
      for (let index = 0; index < own.length; index++) {
        own[index]! += firstOffsets[records[index]!.partition]!;
      }
    }
    return offsets;
  }

  /** The writer of a segment that has room for this much. */
  async #writerFor(bytes: number): Promise<SegmentWriter> {
    const last = this.#segments.at(-1);
    const isFull = last !== undefined && last.lengthBytes + bytes > this.#segmentBytes;
    if (this.#writer !== null && isFull && this.#holdsAny(last)) await this.#seal(this.#writer);
    if (this.sizeBytes() + bytes > this.#maxBytes) {
      await this.#deleteReleased();
      if (this.sizeBytes() + bytes > this.#maxBytes) {
        const size = `${this.sizeBytes()} of ${this.#maxBytes} bytes`;
        throw new LullError('log_full', `the log ${this.name} is full: ${size}, all still needed`);
      }
    }
    return this.#writer ?? this.#roll();
  }

  /** Seals the segment that is written, if any, and begins the next. */
  async #roll(): Promise<SegmentWriter> {
    if (this.#writer !== null) await this.#seal(this.#writer);
    const writer = await SegmentWriter.create(this.#place, this.#nextNumber, {
      baseOffsets: this.#endOffsets,
      arrivalsMs: this.#segments.at(-1)?.arrivalsMs ?? new Float64Array(this.partitionCount),
      alwaysSynced: this.#options.fsync === 'always',
    });
    this.#nextNumber++;
    this.#segments.push(writer.segment);
    this.#writer = writer;
    return writer;
  }

  async #seal(writer: SegmentWriter): Promise<void> {
    await writer.seal();
    this.#writer = null;
  }

  /** All but the last, which knows the offsets: without it they would begin again. */
  async #deleteReleased(): Promise<void> {
    const { files, directory, cache } = this.#place;
    while (this.#segments.length > 1 && this.#isReleased(this.#segments[0]!)) {
      const oldest = this.#segments.shift()!;
      this.#findFirstOffsets();
      cache.forget(oldest);
      await files.remove(oldest.path);
      await files.remove(oldest.indexPath);
      // One after another: a power loss leaves no gap between those that are left.
      await files.syncDirectory(directory);
    }
  }

  /** The segment with the record at this offset, or with the next one after a hole. */
  #segmentWith(partition: number, offset: number): Segment | undefined {
    const endsBefore = (segment: Segment) => segment.endOffsets[partition]! <= offset;
    let index = lastIndexWhere(this.#segments, endsBefore) + 1;
    while (this.#segments[index]?.holds(partition) === false) index++;
    return this.#segments[index];
  }

  #isReleased(segment: Segment): boolean {
    return segment.endOffsets.every(
      (end, partition) => !segment.holds(partition) || end <= this.#released[partition]!,
    );
  }

  #holdsAny(segment: Segment): boolean {
    return segment.endOffsets.some((_, partition) => segment.holds(partition));
  }

  #findFirstOffsets(): void {
    for (let partition = 0; partition < this.partitionCount; partition++) {
      const oldest = this.#segments.find((segment) => segment.holds(partition));
      this.#firstOffsets[partition] =
        oldest?.baseOffsets[partition] ?? this.#endOffsets[partition]!;
    }
  }

  /** The stretch of a row; null when its segment has been released meanwhile. */
  async #stretch(segment: Segment, row: number): Promise<Stretch | null> {
    try {
      return await this.#place.cache.get(segment, row);
    } catch (error) {
      if (!this.#segments.includes(segment)) return null;
      throw explain(error, `${segment.path} can't be read`);
    }
  }

  #planSync(): void {
    if (this.#syncPlanned) return;
    this.#syncPlanned = true;
    const { clock } = this.#options;
    void clock.sleep(SYNC_INTERVAL_MS, this.#stopSyncing.signal).then(() =>
      this.#job(async () => {
        this.#syncPlanned = false;
        if (this.#failure !== null || this.#closing !== null) return;
        await this.#writer?.sync().catch((error) => this.#failed(error));
      }),
    );
  }

  async #shut(): Promise<void> {
    while (this.#pending.length > 0) await this.#writeGroup();
    const writer = this.#writer;
    if (writer === null) return;
    try {
      if (this.#failure !== null) throw this.#failure;
      await this.#seal(writer);
    } catch (error) {
      await writer.close();
      const reason = this.#failed(error);
      // Without room for its index it is synced all the same, and sealed when it is opened again.
      if (!(reason instanceof LullError && reason.code === 'disk_full')) throw reason;
    }
  }

  /** What to reject with; anything but a lack of space means that no write can be trusted now. */
  #failed(error: unknown): unknown {
    const reason = explain(error, `the log ${this.name} can't be written`);
    if (reason instanceof LullError && reason.code === 'log_failed') this.#failure ??= reason;
    return reason;
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new LullError('log_closed', `the log ${this.name} is closed`);
  }

  #known(partition: number): number {
    if (this.#endOffsets[partition] !== undefined) return partition;
    throw new RangeError(`no partition ${partition}: there are ${this.partitionCount}`);
  }
}

function checkedBound(record: NewRecord): number {
  const bound = recordBound(record);
  if (bound > MAX_RECORD_BYTES) throw new RangeError(`a record of ${bound} bytes is too large`);
  return bound;
}
