/** Follows the changelog: restores what is to be opened, and keeps standby copies current. */
import { murmur2 } from '../core/hash.ts';
import type { Cluster, TopicPlaces } from '../kafka/cluster.ts';
import { Fetcher, type Followed } from '../kafka/fetcher.ts';
import { type RecordBatch, RecordCursor } from '../kafka/record-batch.ts';
import { decodeCheckpoint, isCheckpointKey } from './changelog.ts';
import type { ChunkRecord, Copy, LocalCopies } from './local-copies.ts';

export interface FollowerOptions {
  readonly cluster: Cluster;
  readonly changelog: TopicPlaces;
  readonly copies: LocalCopies;
  /** A copy that was last current longer ago may have missed deletions, and begins anew. */
  readonly staleAfterMs: number;
  /** From how many records on they are applied; default 20,000. */
  readonly chunkRecords?: number | undefined;
  /** A copy can't be kept any more. */
  readonly onFailure: (partition: number, error: unknown) => void;
}

interface Waiter {
  readonly untilOffset: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Tracked {
  readonly partition: number;
  /** Its copy can be relied on then. */
  started: Promise<void>;
  /** All that is committed below it is in the copy. */
  nextOffset: number;
  /** Since it was empty: so most users that come are new to it. */
  isFilling: boolean;
  waiter: Waiter | null;
}

/** Sorted writes are cheap, and the larger a batch the more so. */
const CHUNK_RECORDS = 20_000;
const CHUNK_BYTES = 8 * 1024 * 1024;
/** As the brokers have it, packed. */
const BUFFER_BYTES = 16 * 1024 * 1024;

/** Answers come at least twice a second from a broker that can be reached. */
const ANSWER_AGE_MS = 3000;

export class Follower {
  readonly #options: FollowerOptions;
  readonly #fetcher: Fetcher;
  readonly #tracked = new Map<number, Tracked>();
  /** With something to apply. */
  readonly #ready = new Set<number>();
  readonly #seen = new SeenKeys();
  /** Which change of what is followed was asked for last. */
  #lastChange = 0;
  /** Of what is followed; never rejects. */
  #changes: Promise<void> = Promise.resolve();
  #isPumping = false;
  /** What is being applied; never rejects. */
  #applying: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: FollowerOptions) {
    const { cluster, changelog } = options;
    this.#options = options;
    this.#fetcher = new Fetcher({
      cluster,
      topic: changelog,
      lane: cluster.newLane('changelog'),
      bufferBytes: BUFFER_BYTES,
      onNews: (followed) => this.#news(followed),
    });
  }

  /**
   * Resolves when the copy has everything that is committed below this offset of the changelog.
   * It is followed from then on, until it is released. Rejects with the signal's reason.
   */
  async catchUp(partition: number, untilOffset: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const tracked = await this.#track(partition);
    if (tracked.nextOffset >= untilOffset) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { untilOffset, resolve, reject };
    tracked.waiter = waiter;
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      this.#wake(partition);
      await promise;
    } finally {
      if (tracked.waiter === waiter) tracked.waiter = null;
      signal.removeEventListener('abort', stop);
    }
  }

  /** Follows these; of those that it followed before, `kept` as well, which will be opened soon. */
  standBy(standby: readonly number[], kept: readonly number[]): Promise<void> {
    const number = ++this.#lastChange;
    // What one change is about may be opened by now, if another has been asked for.
    const isOver = () => number !== this.#lastChange || this.#isClosed;
    const change = async () => {
      const wanted = new Set([...standby, ...kept]);
      for (const partition of [...this.#tracked.keys()]) {
        if (isOver()) return;
        if (!wanted.has(partition)) await this.release(partition);
      }
      for (const partition of standby) {
        if (isOver()) return;
        await this.#track(partition);
      }
    };
    // One after the other, so that the last call has the last word.
    const turn = this.#changes.then(change);
    this.#changes = turn.catch(() => {});
    return turn;
  }

  /** Follows it no longer; what is being applied is applied first. */
  async release(partition: number): Promise<void> {
    const tracked = this.#tracked.get(partition);
    if (tracked === undefined) return;
    this.#tracked.delete(partition);
    this.#fetcher.unfollow(partition);
    this.#ready.delete(partition);
    tracked.waiter?.reject(new Error(`partition ${partition} is no longer followed`));
    await this.#applying;
  }

  /** Committed records that the copy lacks, as far as is known; null where it isn't followed. */
  lagRecords(partition: number): number | null {
    const followed = this.#fetcher.followed(partition);
    const tracked = this.#tracked.get(partition);
    if (tracked === undefined || followed === undefined || followed.highWatermark < 0) return null;
    return Math.max(0, followed.highWatermark - tracked.nextOffset);
  }

  /** Whether the copy has everything, by an answer that is not too old to tell. */
  isCurrent(partition: number): boolean {
    const answeredMs = this.#fetcher.followed(partition)?.answeredMs ?? Number.NEGATIVE_INFINITY;
    const ageMs = this.#options.cluster.clock.monotonicMs() - answeredMs;
    return ageMs <= ANSWER_AGE_MS && this.lagRecords(partition) === 0;
  }

  /** Partitions whose copies have everything. */
  current(): number[] {
    return [...this.#tracked.keys()].filter((partition) => this.isCurrent(partition));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#fetcher.close();
    for (const { waiter } of this.#tracked.values()) {
      waiter?.reject(new Error('the state is closed'));
    }
    await this.#applying;
  }

  async #track(partition: number): Promise<Tracked> {
    let tracked = this.#tracked.get(partition);
    if (tracked === undefined) {
      const started = Promise.resolve();
      tracked = { partition, started, nextOffset: 0, isFilling: true, waiter: null };
      this.#tracked.set(partition, tracked);
      tracked.started = this.#start(tracked);
    }
    await tracked.started;
    return tracked;
  }

  /** Begins to follow where the copy ends, or from the start where there is none worth keeping. */
  async #start(tracked: Tracked): Promise<void> {
    const { copies, cluster, staleAfterMs } = this.#options;
    const { partition } = tracked;
    const copy = copies.get(partition);
    if (copy !== undefined && cluster.clock.nowMs() - copy.currentMs > staleAfterMs) {
      await copies.wipe(partition);
    }
    if (this.#tracked.get(partition) !== tracked) return;
    tracked.nextOffset = copies.get(partition)?.nextOffset ?? 0;
    tracked.isFilling = tracked.nextOffset === 0;
    this.#fetcher.follow(partition, tracked.nextOffset);
  }

  #news({ partition, failure }: Followed): void {
    const tracked = this.#tracked.get(partition);
    if (tracked === undefined) return;
    if (failure === null || failure === undefined) return this.#wake(partition);
    this.#fail(tracked, failure);
  }

  #fail(tracked: Tracked, error: unknown): void {
    this.#tracked.delete(tracked.partition);
    this.#fetcher.unfollow(tracked.partition);
    if (tracked.waiter !== null) tracked.waiter.reject(error);
    else this.#options.onFailure(tracked.partition, error);
  }

  #wake(partition: number): void {
    this.#ready.add(partition);
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    void this.#run().finally(() => {
      this.#isPumping = false;
    });
  }

  /** Applies what was fetched, one partition after the other. */
  async #run(): Promise<void> {
    while (this.#ready.size > 0 && !this.#isClosed) {
      const tracked = this.#next();
      if (tracked === null) return;
      this.#applying = this.#step(tracked).catch((error) => this.#fail(tracked, error));
      await this.#applying;
    }
  }

  /** What somebody waits for comes before standby copies. */
  #next(): Tracked | null {
    for (const isWaiting of [true, false]) {
      for (const partition of this.#ready) {
        const tracked = this.#tracked.get(partition);
        if (tracked === undefined) this.#ready.delete(partition);
        else if (!isWaiting || tracked.waiter !== null) return tracked;
      }
    }
    return null;
  }

  async #step(tracked: Tracked): Promise<void> {
    const { partition, waiter } = tracked;
    const { cluster, copies } = this.#options;
    const followed = this.#fetcher.followed(partition);
    const batches = this.#take(partition);
    if (followed === undefined || followed.batches.length === 0) this.#ready.delete(partition);
    if (followed === undefined) return;
    const isAllTaken = followed.batches.length === 0;
    // Where all is taken, what lies behind it holds nothing that counts.
    const nextOffset = isAllTaken ? followed.nextOffset : batches.at(-1)!.endOffset;
    const { highWatermark } = followed;
    const isCurrent = highWatermark >= 0 && nextOffset >= highWatermark;
    if (batches.length > 0) {
      const before = copies.get(partition) ?? NOTHING;
      const { records, checkpoint, position } = gather(batches, tracked.nextOffset);
      const copy: Copy = {
        checkpoint: checkpoint ?? before.checkpoint,
        position: position ?? before.position,
        nextOffset,
        currentMs: isCurrent ? cluster.clock.nowMs() : before.currentMs,
      };
      const mayHave = (key: Uint8Array) => !tracked.isFilling || this.#seen.add(partition, key);
      await copies.apply(partition, { records, copy }, mayHave);
    }
    tracked.nextOffset = nextOffset;
    if (isCurrent) tracked.isFilling = false;
    if (waiter !== null && nextOffset >= waiter.untilOffset) waiter.resolve();
  }

  #take(partition: number): RecordBatch[] {
    const batches: RecordBatch[] = [];
    const { chunkRecords = CHUNK_RECORDS } = this.#options;
    let records = 0;
    let bytes = 0;
    while (records < chunkRecords && bytes < CHUNK_BYTES) {
      const batch = this.#fetcher.take(partition);
      if (batch === undefined) break;
      batches.push(batch);
      records += batch.count;
      bytes += batch.sizeBytes;
    }
    return batches;
  }
}

const NOTHING: Copy = { checkpoint: null, position: 0, nextOffset: 0, currentMs: 0 };

interface Gathered {
  /** Of each key the newest, sorted by key. */
  readonly records: ChunkRecord[];
  readonly checkpoint: Copy['checkpoint'];
  readonly position: number | null;
}

function gather(batches: readonly RecordBatch[], fromOffset: number): Gathered {
  const newest = new Map<string, ChunkRecord>();
  let checkpoint: Copy['checkpoint'] = null;
  let position: number | null = null;
  for (const batch of batches) {
    const cursor = new RecordCursor(batch);
    const { bytes } = cursor;
    while (cursor.next()) {
      if (cursor.offset < fromOffset) continue;
      const key = bytes.subarray(cursor.keyStart, cursor.keyEnd);
      const value =
        cursor.valueStart < 0 ? null : bytes.subarray(cursor.valueStart, cursor.valueEnd);
      if (isCheckpointKey(key)) {
        const { logId, nextOffset, clockMs } = decodeCheckpoint(value!);
        checkpoint = { logId, nextOffset, clockMs };
        position = cursor.offset + 1;
      } else {
        newest.set(bytes.toString('latin1', cursor.keyStart, cursor.keyEnd), { key, value });
      }
    }
  }
  // A byte a character, so that texts sort as the bytes do.
  const keys = [...newest.keys()].sort();
  return { records: keys.map((key) => newest.get(key)!), checkpoint, position };
}

const SEEN_BITS = 1 << 25;

/** Which keys may have been seen: a set that sometimes says yes where it is no, and stays small. */
class SeenKeys {
  #bits: Uint8Array | null = null;

  /** Whether the key may have been added before. */
  add(partition: number, key: Uint8Array): boolean {
    this.#bits ??= new Uint8Array(SEEN_BITS >> 3);
    const bit = (murmur2(key) ^ Math.imul(partition, 0x9e3779b1)) & (SEEN_BITS - 1);
    const before = this.#bits[bit >> 3]!;
    this.#bits[bit >> 3] = before | (1 << (bit & 7));
    return (before & (1 << (bit & 7))) !== 0;
  }
}
