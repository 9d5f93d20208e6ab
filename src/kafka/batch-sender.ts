/**
 * Brings sealed batches to the leaders of their partitions: one request in flight a broker, so
 * that at most one batch of a partition is under way; the same bytes again until it is settled.
 */
import type { Cluster, Lane } from './cluster.ts';
import { responseError } from './cluster.ts';
import { CODE, isPassing, mayPass } from './failure.ts';
import { type PlacedBatch, type ProduceAnswer, produceV12 } from './produce-request.ts';

export interface BatchSenderOptions {
  readonly cluster: Cluster;
  /** Not shared with another sender: requests of one lane wait for each other. */
  readonly lane: Lane;
  readonly transactionalId: string | null;
}

interface Pending {
  readonly placed: PlacedBatch;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (baseOffset: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Batches for one partition, in the order in which they were given. */
interface Queue {
  readonly topic: string;
  readonly partition: number;
  readonly pending: Pending[];
  /** Times in a row that the first one failed for a passing reason. */
  failures: number;
}

interface Destination {
  readonly ready: Set<Queue>;
  isSending: boolean;
}

/** A request takes batches up to this size, or one that is larger. */
const REQUEST_BYTES = 4 * 1024 * 1024;
/** For the replicas; the connection itself gives up a little later. */
const ACKS_TIMEOUT_MS = 8000;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;

export class BatchSender {
  readonly #options: BatchSenderOptions;
  readonly #queues = new Map<string, Queue>();
  readonly #destinations = new Map<number, Destination>();
  readonly #closed = new AbortController();

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the offset of the batch's first record once all replicas in sync have it.
   * Batches of a partition are sent in the order of the calls, each after the one before it was
   * settled. Rejects with the broker's refusal (`codeOf`); with the signal's reason when that
   * aborts before the batch was settled: then it may have been appended.
   */
  send(placed: PlacedBatch, signal?: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const queue = this.#queue(placed);
      queue.pending.push({ placed, signal, resolve, reject });
      if (queue.pending.length === 1) this.#route(queue);
    });
  }

  /** What is not settled rejects with this; nothing more is sent. */
  close(reason: Error): void {
    this.#closed.abort(reason);
  }

  #queue({ topic, partition }: PlacedBatch): Queue {
    const name = `${topic}/${partition}`;
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { topic, partition, pending: [], failures: 0 };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #route(queue: Queue): void {
    this.#dropAborted(queue);
    if (queue.pending.length === 0) return;
    const leader = this.#options.cluster.leaderOf(queue.topic, queue.partition);
    if (leader < 0) return void this.#recover(queue, null);
    let destination = this.#destinations.get(leader);
    if (destination === undefined) {
      destination = { ready: new Set(), isSending: false };
      this.#destinations.set(leader, destination);
    }
    destination.ready.add(queue);
    if (destination.isSending) return;
    destination.isSending = true;
    void this.#drain(leader, destination);
  }

  async #drain(leader: number, destination: Destination): Promise<void> {
    for (;;) {
      // What is sent in this turn, or because of the last answer, goes together.
      await new Promise(setImmediate);
      if (destination.ready.size === 0) break;
      const queues = takeRequest(destination.ready);
      const batches = queues.map(({ pending }) => pending[0]!.placed);
      await this.#request(leader, queues, batches);
    }
    destination.isSending = false;
  }

  async #request(leader: number, queues: Queue[], batches: PlacedBatch[]): Promise<void> {
    const { cluster, lane, transactionalId } = this.#options;
    try {
      this.#closed.signal.throwIfAborted();
      const parameters = [transactionalId, ACKS_TIMEOUT_MS, batches] as const;
      const answers = await cluster.call(leader, lane, produceV12, ...parameters);
      const byPlace = new Map(answers.map((answer) => [placeOf(answer), answer]));
      for (const queue of queues) this.#settle(queue, byPlace.get(placeOf(queue))!);
    } catch (error) {
      for (const queue of queues) {
        if (!this.#closed.signal.aborted && mayPass(error)) void this.#recover(queue, error);
        else this.#refuse(queue, cluster.explain(error));
      }
    }
  }

  #settle(queue: Queue, { errorCode, baseOffset }: ProduceAnswer): void {
    // A repeated batch is a duplicate when an earlier request did reach the log.
    if (errorCode === CODE.none || errorCode === CODE.duplicateSequence) {
      queue.failures = 0;
      this.#options.cluster.noteSuccess();
      queue.pending.shift()!.resolve(baseOffset);
      if (queue.pending.length > 0) this.#route(queue);
      return;
    }
    const error = responseError(produceV12, errorCode);
    if (isPassing(errorCode)) void this.#recover(queue, error);
    else this.#refuse(queue, error);
  }

  /** Sends the first batch again after a while, to whoever leads then. */
  async #recover(queue: Queue, error: unknown): Promise<void> {
    const { cluster } = this.#options;
    const { signal } = this.#closed;
    for (let reason = error; ; ) {
      if (reason !== null) {
        const waitMs = Math.min(FIRST_WAIT_MS * 2 ** queue.failures, LONGEST_WAIT_MS);
        queue.failures++;
        cluster.noteFailure(reason, waitMs);
        await cluster.clock.sleep(waitMs, signal);
      }
      this.#dropAborted(queue);
      if (queue.pending.length === 0) return;
      try {
        await cluster.refresh(queue.topic);
        if (cluster.leaderOf(queue.topic, queue.partition) >= 0) return this.#route(queue);
        reason = responseError(produceV12, CODE.leaderNotAvailable);
      } catch (failure) {
        if (!mayPass(failure)) return this.#refuse(queue, cluster.explain(failure));
        reason = failure;
      }
    }
  }

  /** The first batch alone: what comes behind it is another matter. */
  #refuse(queue: Queue, error: unknown): void {
    queue.failures = 0;
    queue.pending.shift()!.reject(this.#closed.signal.aborted ? this.#closed.signal.reason : error);
    if (queue.pending.length > 0) this.#route(queue);
  }

  #dropAborted(queue: Queue): void {
    const { signal: closed } = this.#closed;
    while (queue.pending.length > 0) {
      const { signal, reject } = queue.pending[0]!;
      if (!closed.aborted && signal?.aborted !== true) return;
      queue.pending.shift();
      reject(closed.aborted ? closed.reason : signal?.reason);
    }
  }
}

/** Takes queues out of those that are ready, as many as a request may hold. */
function takeRequest(ready: Set<Queue>): Queue[] {
  const taken: Queue[] = [];
  let bytes = 0;
  for (const queue of ready) {
    bytes += queue.pending[0]!.placed.batch.length;
    if (taken.length > 0 && bytes > REQUEST_BYTES) break;
    taken.push(queue);
    ready.delete(queue);
  }
  return taken;
}

function placeOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
