/**
 * Reading side of a Kafka topic. A partition is read ahead from where its reader stands; a read
 * elsewhere is answered by a fetch of its own.
 */
import { LullError } from '../errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { CODE, codeOf } from '../kafka/failure.ts';
import { type Fetched, Fetcher, type Followed } from '../kafka/fetcher.ts';
import { EARLIEST, LATEST, listOffsets } from '../kafka/offsets.ts';
import { type RecordBatch, RecordCursor } from '../kafka/record-batch.ts';
import { type ReadyTopic, refreshTopic } from '../kafka/topics.ts';
import type { LogRecord, TopicReader } from './log.ts';

export interface KafkaReaderOptions {
  readonly cluster: Cluster;
  readonly topic: ReadyTopic;
  /** Partitions to read ahead; default all. */
  readonly follow?: readonly number[];
  /** For what is read ahead, in all partitions. */
  readonly bufferBytes?: number;
  /** How often to see whether it is still the same topic; default 30 s. */
  readonly checkMs?: number;
}

/** How long a partition's ends may be out of date where no fetch brings them. */
const REFRESH_MS = 1000;
const CHECK_MS = 30_000;
const ONCE_BYTES = { least: 16 * 1024, most: 1024 * 1024 };
const RECHECK_MS = 20;

/** Where reading a partition stands. */
interface Place {
  readonly partition: number;
  firstOffset: number;
  endOffset: number;
  followed: Followed | null;
  /** The next record that has not been given out comes at or after it. */
  readOffset: number;
  cursor: RecordCursor | null;
  lastArrivalMs: number;
  /** Where the last read ended that was no continuation. */
  strayEnd: number;
  readonly waiting: (() => void)[];
}

/** Opens a topic for reading committed records; knows where its partitions end. */
export async function openKafkaReader(
  options: KafkaReaderOptions,
  signal?: AbortSignal,
): Promise<KafkaReader> {
  const reader = new KafkaReader(options);
  try {
    await reader.refreshEnds([], signal);
    void reader.watch();
    return reader;
  } catch (error) {
    reader.close();
    throw error;
  }
}

export class KafkaReader implements TopicReader {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #options: KafkaReaderOptions;
  readonly #fetcher: Fetcher;
  readonly #places: readonly Place[];
  readonly #listeners = new Set<(partition: number) => void>();
  #following: ReadonlySet<number>;
  /** Why nothing can be read any more. */
  #failure: unknown = null;
  readonly #closed = new AbortController();

  constructor(options: KafkaReaderOptions) {
    const { cluster, topic, bufferBytes } = options;
    this.name = topic.name;
    this.logId = topic.topicId;
    this.partitionCount = topic.partitions.length;
    this.#options = options;
    this.#places = topic.partitions.map((_, partition) => placeAtStart(partition));
    this.#following = new Set(options.follow ?? topic.partitions.keys());
    this.#fetcher = new Fetcher({
      cluster,
      topic,
      lane: cluster.newLane(`fetch ${topic.name}`),
      ...(bufferBytes === undefined ? {} : { bufferBytes }),
      onNews: (followed) => this.#onNews(followed),
    });
  }

  /** Reads ahead in these partitions alone; the others are still read, with a fetch a read. */
  follow(partitions: Iterable<number>): void {
    this.#following = new Set(partitions);
    for (const place of this.#places) {
      if (this.#following.has(place.partition)) continue;
      this.#fetcher.unfollow(place.partition);
      place.followed = null;
      this.#wake(place);
    }
    if (this.#listeners.size > 0) this.#followEnds();
  }

  firstOffset(partition: number): number {
    return this.#place(partition).firstOffset;
  }

  endOffset(partition: number): number {
    return this.#place(partition).endOffset;
  }

  async offsetAt(partition: number, arrivalMs: number): Promise<number> {
    const { firstOffset, endOffset } = this.#place(partition);
    this.assertOpen();
    if (arrivalMs <= 0) return firstOffset;
    if (arrivalMs === Infinity) return endOffset;
    const found = await this.#listed([partition], Math.ceil(arrivalMs));
    const offset = found.get(partition)!;
    return offset < 0 ? endOffset : Math.min(Math.max(offset, firstOffset), endOffset);
  }

  onAppend(listener: (partition: number) => void): () => void {
    // Each call counts for itself, also when it brings the same function again.
    const own = (partition: number) => listener(partition);
    this.#listeners.add(own);
    this.#followEnds();
    return () => this.#listeners.delete(own);
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<LogRecord[]> {
    const place = this.#place(partition);
    this.assertOpen();
    const from = this.#kept(place, fromOffset);
    const wanted: Wanted = { from, endOffset: place.endOffset, maxBytes };
    if (from >= wanted.endOffset) return [];
    const isNext = place.followed === null || from === place.strayEnd;
    if (this.#following.has(partition) && !isAhead(place, from) && isNext) {
      this.#start(place, from);
    }
    return this.#readAhead(place, wanted);
  }

  /** The first offset from there on that the log still has. */
  #kept(place: Place, offset: number): number {
    const { partition, firstOffset } = place;
    if (offset >= firstOffset) return offset;
    const lost = { topic: this.name, partition, offset, firstOffset };
    this.#options.cluster.logger.error(lost, 'records were deleted before they had been read');
    return firstOffset;
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new LullError('log_closed', `${this.name} is closed`));
    this.#fetcher.close();
    for (const place of this.#places) this.#wake(place);
  }

  /** A record up to here has been appended by this process. */
  moveEnd(partition: number, endOffset: number): void {
    const place = this.#place(partition);
    if (endOffset <= place.endOffset) return;
    place.endOffset = endOffset;
    for (const listener of this.#listeners) {
      try {
        listener(partition);
      } catch (error) {
        // One reader's defect must not stop the fetcher for the others.
        process.emitWarning(error as Error);
      }
    }
  }

  /** Asks where these begin and end, and those partitions of which no fetch brings news. */
  async refreshEnds(partitions: readonly number[] = [], signal?: AbortSignal): Promise<void> {
    const silent = this.#places
      .map(({ partition }) => partition)
      .filter((one) => partitions.includes(one) || !this.#fetcher.isFetching(one));
    if (silent.length === 0) return;
    const [first, end] = await Promise.all([
      this.#listed(silent, EARLIEST, signal),
      this.#listed(silent, LATEST, signal),
    ]);
    for (const partition of silent) {
      this.#places[partition]!.firstOffset = first.get(partition)!;
      this.moveEnd(partition, end.get(partition)!);
    }
  }

  /** Keeps the ends up to date, and stops all reading once it is another topic. */
  async watch(): Promise<void> {
    const { cluster, topic, checkMs = CHECK_MS } = this.#options;
    const { signal } = this.#closed;
    for (let leftMs = checkMs; ; leftMs -= REFRESH_MS) {
      await cluster.clock.sleep(REFRESH_MS, signal);
      try {
        if (leftMs <= 0) {
          leftMs = checkMs;
          await cluster.retry(() => refreshTopic(cluster, topic), signal);
        }
        await this.refreshEnds([], signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error);
        return;
      }
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const place of this.#places) this.#wake(place);
  }

  #listed(partitions: number[], timestampMs: number, given?: AbortSignal) {
    const { cluster } = this.#options;
    const { signal: closed } = this.#closed;
    const signal = given === undefined ? closed : AbortSignal.any([given, closed]);
    return listOffsets(cluster, this.name, partitions, timestampMs, 'committed', signal);
  }

  #onNews(followed: Followed): void {
    const place = this.#places[followed.partition]!;
    if (place.followed !== null && place.followed !== followed) return;
    if (followed.firstOffset >= 0) place.firstOffset = followed.firstOffset;
    this.moveEnd(followed.partition, followed.lastStableOffset);
    this.#wake(place);
  }

  #wake(place: Place): void {
    for (const wake of place.waiting.splice(0)) wake();
  }

  /** Who listens for appends must hear of them: partitions that nobody reads are followed too. */
  #followEnds(): void {
    for (const partition of this.#following) {
      const place = this.#place(partition);
      if (place.followed === null) this.#start(place, place.endOffset);
    }
  }

  #start(place: Place, offset: number): void {
    place.cursor = null;
    place.readOffset = offset;
    place.strayEnd = -1;
    place.lastArrivalMs = 0;
    place.followed = this.#fetcher.follow(place.partition, offset);
    this.#wake(place);
  }

  async #readAhead(place: Place, wanted: Wanted): Promise<LogRecord[]> {
    for (;;) {
      this.assertOpen();
      // It may have been led elsewhere by another read meanwhile.
      if (!isAhead(place, wanted.from)) return this.#readOnce(place, wanted);
      const followed = place.followed!;
      const records = this.#takeRecords(place, wanted);
      if (records.length > 0) return records;
      if (followed.nextOffset >= wanted.endOffset) return [];
      if (followed.failure !== null) throw followed.failure;
      await new Promise<void>((resolve) => place.waiting.push(resolve));
    }
  }

  #takeRecords(place: Place, { from, maxBytes }: Wanted): LogRecord[] {
    const records: LogRecord[] = [];
    for (let bytes = 0; bytes < maxBytes || records.length === 0; ) {
      place.cursor ??= cursorOf(this.#fetcher.take(place.partition));
      if (place.cursor === null) break;
      const budget = Math.max(1, maxBytes - bytes);
      const taken = takeFrom(place.cursor, { from, maxBytes: budget }, records);
      if (taken < budget) place.cursor = null;
      bytes += taken;
    }
    for (const record of records) {
      place.lastArrivalMs = Math.max(place.lastArrivalMs, record.arrivalMs);
      if (record.arrivalMs < place.lastArrivalMs) {
        (record as { arrivalMs: number }).arrivalMs = place.lastArrivalMs;
      }
    }
    if (records.length > 0) place.readOffset = records.at(-1)!.offset + 1;
    return records;
  }

  async #readOnce(place: Place, wanted: Wanted): Promise<LogRecord[]> {
    const { least, most } = ONCE_BYTES;
    const bytes = Math.max(least, Math.min(most, wanted.maxBytes));
    let from = wanted.from;
    while (from < wanted.endOffset) {
      this.assertOpen();
      const fetched = await this.#fetchOnce(place, from, bytes);
      if (fetched === null) {
        from = this.#kept(place, from);
        continue;
      }
      const records = recordsOf(fetched, { ...wanted, from });
      if (records.length > 0) {
        place.strayEnd = records.at(-1)!.offset + 1;
        return records;
      }
      // Committed by now, but not stable: a transaction of somebody else is open before it.
      if (fetched.nextOffset <= from) await this.#options.cluster.clock.sleep(RECHECK_MS);
      from = Math.max(from, fetched.nextOffset);
    }
    return [];
  }

  /** Null when the offset has been deleted meanwhile; the place then knows the first one kept. */
  async #fetchOnce(place: Place, offset: number, maxBytes: number): Promise<Fetched | null> {
    try {
      return await this.#fetcher.fetchOnce(place.partition, offset, maxBytes);
    } catch (error) {
      if (codeOf(error) !== CODE.offsetOutOfRange) throw error;
      const first = await this.#listed([place.partition], EARLIEST);
      place.firstOffset = first.get(place.partition)!;
      if (place.firstOffset > offset) return null;
      const where = `${this.name}, partition ${place.partition}`;
      throw new LullError('log_corrupt', `${where}: the log ends before offset ${offset}`);
    }
  }

  #place(partition: number): Place {
    const place = this.#places[partition];
    if (place === undefined) throw new RangeError(`${this.name} has no partition ${partition}`);
    return place;
  }

  /** Throws when it is closed, or can't be read any more. */
  assertOpen(): void {
    this.#closed.signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
  }
}

interface Wanted {
  readonly from: number;
  /** As it was when the read began: nothing below it is left out. */
  readonly endOffset: number;
  readonly maxBytes: number;
}

function placeAtStart(partition: number): Place {
  return {
    partition,
    firstOffset: 0,
    endOffset: 0,
    followed: null,
    readOffset: 0,
    cursor: null,
    lastArrivalMs: 0,
    strayEnd: -1,
    waiting: [],
  };
}

/** Whether what is read ahead holds this offset, or will come to it without a gap. */
function isAhead({ followed, readOffset }: Place, from: number): boolean {
  return followed !== null && from >= readOffset && from <= followed.nextOffset;
}

function cursorOf(batch: RecordBatch | undefined): RecordCursor | null {
  return batch === undefined ? null : new RecordCursor(batch);
}

/** Adds records to `records` until `maxBytes` are reached; returns the bytes that were added. */
function takeFrom(
  cursor: RecordCursor,
  { from, maxBytes }: Omit<Wanted, 'endOffset'>,
  records: LogRecord[],
): number {
  let taken = 0;
  while (taken < maxBytes && cursor.next()) {
    if (cursor.offset < from) continue;
    records.push(new KafkaRecord(cursor));
    // A record without key and value counts too, or a batch of them would have no bound.
    taken += 1 + cursor.keyEnd - cursor.keyStart + cursor.valueEnd - cursor.valueStart;
  }
  return taken;
}

/** What the cursor stands on; few readers want the key, which is decoded when one does. */
class KafkaRecord implements LogRecord {
  readonly offset: number;
  readonly arrivalMs: number;
  readonly value: Uint8Array;
  readonly #bytes: Buffer;
  readonly #keyStart: number;
  readonly #keyEnd: number;

  constructor(cursor: RecordCursor) {
    const { bytes, valueStart, valueEnd } = cursor;
    this.offset = cursor.offset;
    this.arrivalMs = cursor.timestampMs;
    this.value = valueEnd > valueStart ? bytes.subarray(valueStart, valueEnd) : NOTHING;
    this.#bytes = bytes;
    this.#keyStart = cursor.keyStart;
    this.#keyEnd = cursor.keyEnd;
  }

  get key(): string {
    if (this.#keyEnd <= this.#keyStart) return '';
    return this.#bytes.toString('utf8', this.#keyStart, this.#keyEnd);
  }
}

const NOTHING = Buffer.alloc(0);

function recordsOf({ batches }: Fetched, { from, maxBytes }: Wanted): LogRecord[] {
  const records: LogRecord[] = [];
  let left = maxBytes;
  for (const batch of batches) {
    if (left <= 0 && records.length > 0) break;
    left -= takeFrom(new RecordCursor(batch), { from, maxBytes: Math.max(1, left) }, records);
  }
  return records;
}
