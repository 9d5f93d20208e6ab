/**
 * Appends records to one topic: gathered into batches by partition, each sent once the one before
 * it is settled, and numbered, so that a repeated one is not appended twice (idempotence).
 */
import { initProducerIdV5 } from '@platformatic/kafka';
import { LullError } from '../errors.ts';
import { BatchSender } from './batch-sender.ts';
import type { Cluster } from './cluster.ts';
import type { Compression } from './compression.ts';
import { CODE, codeOf, describeFailure } from './failure.ts';
import { BatchBuilder, batchBound, type ProducerStamp } from './record-batch.ts';
import type { ReadyTopic } from './topics.ts';

export interface ProducerOptions {
  readonly cluster: Cluster;
  readonly topic: ReadyTopic;
  readonly compression: Compression;
  /** How long a record waits for others when nothing is under way. Default 3 ms. */
  readonly lingerMs?: number;
  /** Of records that are not settled; more are refused. Default 64 MB. */
  readonly bufferBytes?: number;
  /** After this long an append rejects; its records may come to be appended all the same. */
  readonly patienceMs?: number;
}

export interface KeyedRecord {
  readonly partition: number;
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** A call of `append`: resolves when all of its records have their offsets. */
interface Call {
  readonly offsets: number[];
  missing: number;
  readonly startedMs: number;
  readonly resolve: (offsets: number[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A batch that gathers, with the place in its call of each of its records. */
interface Gathering {
  readonly builder: BatchBuilder;
  readonly calls: Call[];
  readonly indexes: number[];
  bytes: number;
}

interface Partition {
  readonly number: number;
  /** In order; the last one gathers further while it isn't sent. */
  readonly batches: Gathering[];
  isSending: boolean;
  stamp: ProducerStamp | null;
}

/** A batch is closed at this size, before compression; a larger record has one of its own. */
const BATCH_BYTES = 1_000_000;
const LINGER_MS = 3;
const BUFFER_BYTES = 64 * 1024 * 1024;
/** Longer than brokers take to miss one of them and elect a new leader: 9 s. */
const PATIENCE_MS = 15_000;
const SWEEP_MS = 500;
const SEQUENCES = 2 ** 31;

/** The broker no longer knows where this producer stands: it begins anew under another id. */
const FORGOTTEN: ReadonlySet<number | null> = new Set([
  CODE.outOfOrderSequence,
  CODE.invalidProducerEpoch,
  CODE.unknownProducerId,
  CODE.producerFenced,
]);

export class Producer {
  readonly #options: ProducerOptions;
  readonly #sender: BatchSender;
  readonly #lane: string;
  readonly #partitions: readonly Partition[];
  readonly #calls = new Set<Call>();
  #bufferedBytes = 0;
  #isLingering = false;
  #isSweeping = false;
  #onIdle: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  readonly #closed = new AbortController();

  constructor(options: ProducerOptions) {
    const { cluster, topic } = options;
    this.#options = options;
    this.#lane = cluster.newLane(`produce ${topic.name}`);
    this.#sender = new BatchSender({ cluster, lane: this.#lane, transactionalId: null });
    this.#partitions = topic.partitions.map((_, number) => {
      return { number, batches: [], isSending: false, stamp: null };
    });
  }

  /** Bytes of records that are not settled. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** What they may be. */
  get bufferBytes(): number {
    return this.#options.bufferBytes ?? BUFFER_BYTES;
  }

  /**
   * Resolves with the records' offsets once all replicas in sync have them. Calls keep their
   * order within a partition. Rejects with `record_too_large`, `log_unavailable`, `log_closed`.
   */
  async append(records: readonly KeyedRecord[]): Promise<number[]> {
    const bytes = this.#check(records);
    if (records.length === 0) return [];
    this.#bufferedBytes += bytes;
    return new Promise<number[]>((resolve, reject) => {
      const call: Call = {
        offsets: new Array(records.length).fill(-1),
        missing: records.length,
        startedMs: this.#options.cluster.clock.monotonicMs(),
        resolve,
        reject,
      };
      this.#calls.add(call);
      for (let index = 0; index < records.length; index++) {
        this.#gather(call, index, records[index]!);
      }
      this.#linger();
      this.#sweep();
    });
  }

  /** Waits until all that was appended is settled. */
  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  /** Throws when a record can't be appended; returns the bytes they take together. */
  #check(records: readonly KeyedRecord[]): number {
    const { topic } = this.#options;
    if (this.#closing !== null) throw new LullError('log_closed', `${topic.name} is closed`);
    let total = 0;
    for (const record of records) {
      if (this.#partitions[record.partition] === undefined) {
        throw new RangeError(`${topic.name} has no partition ${record.partition}`);
      }
      const bytes = batchBound(record.key, record.value);
      total += bytes;
      if (bytes <= topic.maxBatchBytes) continue;
      const message = `a record of ${bytes} bytes is larger than ${topic.name} takes`;
      throw new LullError('record_too_large', `${message} (${topic.maxBatchBytes})`);
    }
    if (this.#bufferedBytes > 0 && this.#bufferedBytes + total > this.bufferBytes) {
      const message = `${this.#bufferedBytes} bytes wait for ${topic.name} already`;
      throw new LullError('log_unavailable', message);
    }
    return total;
  }

  #gather(call: Call, index: number, record: KeyedRecord): void {
    const { key, value } = record;
    const own = this.#partitions[record.partition]!;
    const limit = Math.min(BATCH_BYTES, this.#options.topic.maxBatchBytes);
    let last = own.batches.at(-1);
    const bytes = batchBound(key, value);
    if (last === undefined || last.builder.sizeBytes + bytes > limit) {
      last = { builder: new BatchBuilder(), calls: [], indexes: [], bytes: 0 };
      own.batches.push(last);
    }
    last.bytes += bytes;
    last.builder.append(key, value);
    last.calls.push(call);
    last.indexes.push(index);
  }

  #linger(): void {
    if (this.#isLingering) return;
    this.#isLingering = true;
    const { cluster, lingerMs = LINGER_MS } = this.#options;
    void cluster.clock.sleep(lingerMs, this.#closed.signal).then(() => {
      this.#isLingering = false;
      for (const own of this.#partitions) {
        if (own.batches.length > 0 && !own.isSending) void this.#send(own);
      }
    });
  }

  /** Sends what has gathered, and what gathers meanwhile. */
  async #send(own: Partition): Promise<void> {
    own.isSending = true;
    for (let batch = own.batches.shift(); batch !== undefined; batch = own.batches.shift()) {
      try {
        const baseOffset = await this.#deliver(own, batch.builder);
        this.#settle(batch, baseOffset);
      } catch (error) {
        for (const call of batch.calls) this.#reject(call, this.#explain(error));
      }
      this.#bufferedBytes -= batch.bytes;
      batch.builder.recycle();
    }
    own.isSending = false;
  }

  async #deliver(own: Partition, builder: BatchBuilder): Promise<number> {
    const { cluster, topic, compression } = this.#options;
    for (;;) {
      own.stamp ??= await this.#newStamp();
      const { stamp } = own;
      const batch = builder.seal({ stamp, timestampMs: cluster.clock.nowMs(), compression });
      try {
        const place = { topic: topic.name, partition: own.number };
        const baseOffset = await this.#sender.send({ ...place, batch });
        const baseSequence = (stamp.baseSequence + builder.count) % SEQUENCES;
        own.stamp = { ...stamp, baseSequence };
        return baseOffset;
      } catch (error) {
        if (!FORGOTTEN.has(codeOf(error))) throw error;
        own.stamp = null;
      }
    }
  }

  async #newStamp(): Promise<ProducerStamp> {
    const { cluster } = this.#options;
    const init = () => cluster.callAny(initProducerIdV5.api, null, 0, -1n, -1);
    const { producerId, producerEpoch } = await cluster.retry(init, this.#closed.signal);
    return { producerId, producerEpoch, baseSequence: 0, transactional: false };
  }

  #settle({ calls, indexes }: Gathering, baseOffset: number): void {
    for (let index = 0; index < calls.length; index++) {
      const call = calls[index]!;
      call.offsets[indexes[index]!] = baseOffset + index;
      call.missing--;
      if (call.missing > 0) continue;
      call.resolve(call.offsets);
      this.#forget(call);
    }
  }

  #reject(call: Call, error: unknown): void {
    call.reject(error);
    this.#forget(call);
  }

  #forget(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#onIdle?.();
  }

  #explain(error: unknown): unknown {
    if (error instanceof LullError) return error;
    const code = codeOf(error) === CODE.messageTooLarge ? 'record_too_large' : 'log_unavailable';
    const message = `${this.#options.topic.name}: ${describeFailure(error)}`;
    return new LullError(code, message, { cause: error });
  }

  /** Rejects calls that have waited for too long, oldest first, while there are any. */
  #sweep(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    const { cluster, topic, patienceMs = PATIENCE_MS } = this.#options;
    void cluster.clock.sleep(SWEEP_MS, this.#closed.signal).then(() => {
      this.#isSweeping = false;
      const startedBefore = cluster.clock.monotonicMs() - patienceMs;
      for (const call of this.#calls) {
        if (call.startedMs > startedBefore) break;
        const message = `${topic.name} has not taken the records within ${patienceMs} ms`;
        this.#reject(call, new LullError('log_unavailable', message));
      }
      if (this.#calls.size > 0) this.#sweep();
    });
  }

  async #shut(): Promise<void> {
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#closed.abort(new LullError('log_closed', `${this.#options.topic.name} is closed`));
    this.#sender.close(this.#closed.signal.reason);
    this.#options.cluster.releaseLanes(this.#lane);
  }
}
