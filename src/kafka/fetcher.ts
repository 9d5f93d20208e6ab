/**
 * Reads ahead in partitions of one topic, from their leaders, into buffers that are bounded.
 * Of each broker two fetches may be under way: a long poll, and a short one for partitions that
 * came to be read while the long one waits for others.
 */
import { LullError } from '../errors.ts';
import type { Cluster, Lane, TopicPlaces } from './cluster.ts';
import { responseError } from './cluster.ts';
import { committedBatches } from './committed-batches.ts';
import { CODE, isPassing, mayPass } from './failure.ts';
import { type FetchedPartition, type FetchRequest, fetchV17 } from './fetch-request.ts';
import { EARLIEST, listOffsets } from './offsets.ts';
import type { RecordBatch } from './record-batch.ts';
import { refreshTopic } from './topics.ts';

export interface FetcherOptions {
  readonly cluster: Cluster;
  readonly topic: TopicPlaces;
  /** Connections of its own: not shared with another fetcher. */
  readonly lane: Lane;
  /** For all partitions together; one batch a partition may go beyond. Default 64 MB. */
  readonly bufferBytes?: number;
  /** After a partition has got batches, an end that moved, or a failure. */
  readonly onNews: (followed: Followed) => void;
}

/** A partition that is read ahead; batches are taken from it with `take`. */
export interface Followed {
  readonly partition: number;
  /** Committed batches in order; some of the first one's records may lie before `startOffset`. */
  readonly batches: readonly RecordBatch[];
  /** All that is committed below it is in `batches` or was taken. */
  readonly nextOffset: number;
  /** Known from the last answer; -1 before there is one. */
  readonly lastStableOffset: number;
  readonly highWatermark: number;
  readonly firstOffset: number;
  /** When that answer came, on the clock that never jumps. */
  readonly answeredMs: number;
  /** Why the partition can't be read at all. */
  readonly failure: unknown;
}

interface Following extends Followed {
  readonly batches: RecordBatch[];
  nextOffset: number;
  lastStableOffset: number;
  highWatermark: number;
  firstOffset: number;
  answeredMs: number;
  failure: unknown;
  bufferedBytes: number;
  /** In a request, or waiting to be tried again. */
  isBusy: boolean;
  failures: number;
}

interface Slot {
  readonly lane: Lane;
  readonly maxWaitMs: number;
  isRunning: boolean;
}

const BUFFER_BYTES = 64 * 1024 * 1024;
const PARTITION_BYTES = { least: 64 * 1024, most: 1024 * 1024 };
const ANSWER_BYTES = 8 * 1024 * 1024;
const LONG_WAIT_MS = 500;
const SHORT_WAIT_MS = 25;
/** An answer with little in it is followed by the next request after a pause. */
const LITTLE_BYTES = 64 * 1024;
const PAUSE_MS = 4;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #followed = new Map<number, Following>();
  readonly #slots = new Map<number, readonly Slot[]>();
  readonly #closed = new AbortController();

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Begins to read ahead there, whatever it did before. */
  follow(partition: number, startOffset: number): Followed {
    const following: Following = {
      partition,
      batches: [],
      nextOffset: startOffset,
      lastStableOffset: -1,
      highWatermark: -1,
      firstOffset: -1,
      answeredMs: Number.NEGATIVE_INFINITY,
      failure: null,
      bufferedBytes: 0,
      isBusy: false,
      failures: 0,
    };
    this.#followed.set(partition, following);
    this.#wake(partition);
    return following;
  }

  /** Whether news of the partition come by themselves: it is followed, and there is room. */
  isFetching(partition: number): boolean {
    const following = this.#followed.get(partition);
    return following !== undefined && following.failure === null && !this.#isFull(following);
  }

  unfollow(partition: number): void {
    this.#followed.delete(partition);
  }

  followed(partition: number): Followed | undefined {
    return this.#followed.get(partition);
  }

  /** Takes the first batch out of the buffer; its room is then filled again. */
  take(partition: number): RecordBatch | undefined {
    const following = this.#followed.get(partition);
    const batch = following?.batches.shift();
    if (following === undefined || batch === undefined) return undefined;
    const wasFull = this.#isFull(following);
    following.bufferedBytes -= batch.sizeBytes;
    if (wasFull && !this.#isFull(following)) this.#wake(partition);
    return batch;
  }

  /** One fetch beside what is read ahead: an answer at once, without following. */
  async fetchOnce(partition: number, fetchOffset: number, maxBytes: number): Promise<Fetched> {
    const { cluster, topic, lane } = this.#options;
    return cluster.retry(async () => {
      const leader = cluster.leaderOf(topic.name, partition);
      try {
        if (leader < 0) throw responseError(fetchV17, CODE.leaderNotAvailable);
        const request = this.#requestFor([{ partition, fetchOffset }], 0, maxBytes);
        const [answer] = await cluster.call(leader, `${lane}-once`, fetchV17, request);
        if (answer!.errorCode !== CODE.none) throw responseError(fetchV17, answer!.errorCode);
        return { ...answer!, ...committedBatches(answer!, fetchOffset) };
      } catch (error) {
        if (mayPass(error)) await refreshTopic(cluster, topic);
        throw error;
      }
    }, this.#closed.signal);
  }

  close(): void {
    this.#closed.abort(new LullError('log_closed', `${this.#options.topic.name} is closed`));
    this.#followed.clear();
    this.#options.cluster.releaseLanes(this.#options.lane);
  }

  #isFull({ bufferedBytes }: Following): boolean {
    return bufferedBytes >= this.#partitionBytes();
  }

  #partitionBytes(): number {
    const share = (this.#options.bufferBytes ?? BUFFER_BYTES) / this.#followed.size;
    return Math.max(PARTITION_BYTES.least, Math.min(PARTITION_BYTES.most, Math.floor(share)));
  }

  #requestFor(
    partitions: FetchRequest['partitions'],
    maxWaitMs: number,
    partitionMaxBytes: number,
  ): FetchRequest {
    return {
      topicId: this.#options.topic.topicId,
      maxWaitMs,
      maxBytes: ANSWER_BYTES,
      partitionMaxBytes,
      isCommittedOnly: true,
      partitions,
    };
  }

  /** Sees to it that the partition gets into a request. */
  #wake(partition: number): void {
    const { cluster, topic } = this.#options;
    const leader = cluster.leaderOf(topic.name, partition);
    const following = this.#followed.get(partition);
    if (leader < 0) {
      if (following !== undefined && !following.isBusy) void this.#recover([following], null);
      return;
    }
    const slot = this.#slotsOf(leader).find(({ isRunning }) => !isRunning);
    if (slot === undefined) return;
    slot.isRunning = true;
    // What is asked for in this turn goes together.
    queueMicrotask(() => void this.#run(leader, slot));
  }

  #slotsOf(leader: number): readonly Slot[] {
    let slots = this.#slots.get(leader);
    if (slots === undefined) {
      const { lane } = this.#options;
      slots = [
        { lane: `${lane}-long`, maxWaitMs: LONG_WAIT_MS, isRunning: false },
        { lane: `${lane}-short`, maxWaitMs: SHORT_WAIT_MS, isRunning: false },
      ];
      this.#slots.set(leader, slots);
    }
    return slots;
  }

  /** Fetches what this broker leads and is in no other request, until there is nothing. */
  async #run(leader: number, slot: Slot): Promise<void> {
    const { cluster } = this.#options;
    for (;;) {
      const wanted = this.#wantedFrom(leader);
      this.#wakeMoved(leader);
      if (wanted.length === 0 || this.#closed.signal.aborted) break;
      for (const following of wanted) following.isBusy = true;
      try {
        const parts = wanted.map(({ partition, nextOffset }) => {
          return { partition, fetchOffset: nextOffset };
        });
        const request = this.#requestFor(parts, slot.maxWaitMs, this.#partitionBytes());
        const answers = await cluster.call(leader, slot.lane, fetchV17, request);
        const bytes = this.#take(wanted, answers);
        if (bytes < LITTLE_BYTES) await cluster.clock.sleep(PAUSE_MS, this.#closed.signal);
      } catch (error) {
        this.#failed(wanted, error);
      }
    }
    slot.isRunning = false;
  }

  #wantedFrom(leader: number): Following[] {
    const { cluster, topic } = this.#options;
    const wanted: Following[] = [];
    for (const following of this.#followed.values()) {
      if (!this.#isWanted(following)) continue;
      if (cluster.leaderOf(topic.name, following.partition) === leader) wanted.push(following);
    }
    return wanted;
  }

  #isWanted(following: Following): boolean {
    return !following.isBusy && following.failure === null && !this.#isFull(following);
  }

  /** Others learn of a new leader too: what this broker led may be another's now, unasked for. */
  #wakeMoved(from: number): void {
    const { cluster, topic } = this.#options;
    for (const following of this.#followed.values()) {
      const leader = cluster.leaderOf(topic.name, following.partition);
      if (leader === from || !this.#isWanted(following)) continue;
      const isAsked = leader >= 0 && this.#slotsOf(leader).some(({ isRunning }) => isRunning);
      if (!isAsked) this.#wake(following.partition);
    }
  }

  /** Returns the bytes of records that came. */
  #take(wanted: readonly Following[], answers: readonly FetchedPartition[]): number {
    this.#options.cluster.noteSuccess();
    const asked = new Map(wanted.map((following) => [following.partition, following]));
    let bytes = 0;
    const stale: Following[] = [];
    let code: number = CODE.none;
    for (const answer of answers) {
      const following = asked.get(answer.partition)!;
      asked.delete(answer.partition);
      bytes += answer.records.length;
      // It may have been told to follow from elsewhere meanwhile.
      if (this.#followed.get(answer.partition) !== following) continue;
      following.isBusy = false;
      if (answer.errorCode === CODE.none) this.#store(following, answer);
      else if (answer.errorCode === CODE.offsetOutOfRange) void this.#outOfRange(following);
      else if (isPassing(answer.errorCode)) {
        following.isBusy = true;
        stale.push(following);
        code = answer.errorCode;
      } else this.#fail(following, responseError(fetchV17, answer.errorCode));
    }
    for (const following of asked.values()) following.isBusy = false;
    if (stale.length > 0) void this.#recover(stale, responseError(fetchV17, code));
    return bytes;
  }

  #store(following: Following, answer: FetchedPartition): void {
    const endBefore = following.lastStableOffset;
    const firstBefore = following.firstOffset;
    following.failures = 0;
    following.answeredMs = this.#options.cluster.clock.monotonicMs();
    // A new leader may know less of what is committed for a moment.
    following.lastStableOffset = Math.max(endBefore, answer.lastStableOffset);
    following.highWatermark = Math.max(following.highWatermark, answer.highWatermark);
    following.firstOffset = answer.firstOffset;
    if (answer.records.length > 0) {
      const { partition } = following;
      try {
        const { batches, nextOffset } = committedBatches(answer, following.nextOffset);
        following.nextOffset = nextOffset;
        for (const batch of batches) {
          following.batches.push(batch);
          following.bufferedBytes += batch.sizeBytes;
        }
      } catch (error) {
        return this.#fail(following, error);
      }
      // Behind the others in the next request, so that each comes first in turn.
      this.#followed.delete(partition);
      this.#followed.set(partition, following);
    }
    const isNews =
      answer.records.length > 0 ||
      following.lastStableOffset !== endBefore ||
      following.firstOffset !== firstBefore;
    if (isNews) this.#options.onNews(following);
  }

  /** What lay there has been deleted, or the log ends before it. */
  async #outOfRange(following: Following): Promise<void> {
    const { cluster, topic } = this.#options;
    const { partition } = following;
    following.isBusy = true;
    try {
      const { signal } = this.#closed;
      const wanted = [partition];
      const first = await listOffsets(cluster, topic.name, wanted, EARLIEST, 'committed', signal);
      following.isBusy = false;
      if (this.#followed.get(partition) !== following) return;
      const firstOffset = first.get(partition)!;
      if (following.nextOffset < firstOffset) {
        following.nextOffset = firstOffset;
        this.#wake(partition);
        return;
      }
      const where = `${topic.name}, partition ${partition}`;
      const message = `${where}: the log ends before offset ${following.nextOffset}`;
      this.#fail(following, new LullError('log_corrupt', `${message}, it has lost records`));
    } catch (error) {
      this.#fail(following, error);
    }
  }

  /** A request that brought no answer. */
  #failed(wanted: readonly Following[], error: unknown): void {
    if (mayPass(error)) return void this.#recover(wanted, error);
    for (const following of wanted) this.#fail(following, this.#options.cluster.explain(error));
  }

  /** Tries these partitions again after a while, with whoever leads them then. */
  async #recover(stale: readonly Following[], error: unknown): Promise<void> {
    const { cluster, topic } = this.#options;
    const { signal } = this.#closed;
    let reason = error;
    for (let lost = stale; lost.length > 0; ) {
      const failures = Math.max(...lost.map((following) => following.failures));
      for (const following of lost) {
        following.isBusy = true;
        following.failures++;
      }
      if (reason !== null) {
        const waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
        cluster.noteFailure(reason, waitMs);
        await cluster.clock.sleep(waitMs, signal);
      }
      if (signal.aborted) return;
      try {
        await refreshTopic(cluster, topic);
        reason = responseError(fetchV17, CODE.leaderNotAvailable);
      } catch (failure) {
        if (!mayPass(failure)) return this.#failed(lost, failure);
        reason = failure;
        continue;
      }
      const isLed = ({ partition }: Following) => cluster.leaderOf(topic.name, partition) >= 0;
      for (const following of lost.filter(isLed)) {
        following.isBusy = false;
        this.#wake(following.partition);
      }
      lost = lost.filter((following) => !isLed(following));
    }
  }

  #fail(following: Following, error: unknown): void {
    if (this.#closed.signal.aborted) return;
    following.failure = error;
    following.isBusy = false;
    if (this.#followed.get(following.partition) === following) this.#options.onNews(following);
  }
}

export interface Fetched extends Omit<FetchedPartition, 'records'> {
  readonly batches: readonly RecordBatch[];
  readonly nextOffset: number;
}
