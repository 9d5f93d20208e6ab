/**
 * Transactions of version 2 (KIP-890): records and the group's positions count together or not at
 * all, and only while this member still is what it was at the join (KIP-447).
 */
import { initProducerIdV5 } from '@platformatic/kafka';
import { LullError } from '../errors.ts';
import { BatchSender } from './batch-sender.ts';
import type { Cluster } from './cluster.ts';
import { Coordinator } from './coordinator.ts';
import { CODE, codeOf } from './failure.ts';
import type { BatchBuilder } from './record-batch.ts';
import {
  type CommittedOffset,
  endTxnV5,
  type Member,
  type ProducerIdentity,
  txnOffsetCommitV5,
} from './transaction-requests.ts';

export interface TransactionOptions {
  readonly cluster: Cluster;
  /** Of one process at a time: a second one ends the first one's transactions. */
  readonly transactionalId: string;
  readonly groupId: string;
  /** Whose positions are committed. */
  readonly inputTopic: string;
}

/** Batches for one partition, in order; each small enough for its topic. */
export interface PartitionBatches {
  readonly topic: string;
  readonly partition: number;
  readonly batches: readonly BatchBuilder[];
}

export interface Transaction {
  readonly member: Member;
  /**
   * Of every partition that is written for, moved or not: the group's coordinator refuses them
   * when this member is one no longer, and nothing else does.
   */
  readonly offsets: readonly CommittedOffset[];
  readonly writes: readonly PartitionBatches[];
}

/** Nothing of the transaction counts; or, after a new owner has ended it, nobody here can say. */
export class TransactionAborted extends Error {}

/** Brokers end a transaction that is open for longer. */
const TIMEOUT_MS = 10_000;

/** The transaction can't be, but the next one may. */
const ABORTED: ReadonlySet<number | null> = new Set([
  CODE.illegalGeneration,
  CODE.unknownMemberId,
  CODE.rebalanceInProgress,
  CODE.transactionAbortable,
  // Ended by a new owner, or by the broker because it took too long.
  CODE.invalidProducerEpoch,
  CODE.producerFenced,
]);

export class Transactions {
  readonly #options: TransactionOptions;
  readonly #sender: BatchSender;
  readonly #group: Coordinator;
  readonly #coordinator: Coordinator;
  #producer: ProducerIdentity | null = null;

  constructor(options: TransactionOptions) {
    const { cluster, transactionalId, groupId } = options;
    this.#options = options;
    this.#sender = new BatchSender({ cluster, lane: 'transaction', transactionalId });
    this.#group = new Coordinator(cluster, 'group', groupId, 'transaction offsets');
    this.#coordinator = new Coordinator(cluster, 'transaction', transactionalId, 'transaction end');
  }

  /** Ends what an earlier process of this instance may have left open. Call it before others. */
  async begin(signal?: AbortSignal): Promise<void> {
    const { cluster, transactionalId } = this.#options;
    this.#producer = await initialize(cluster, this.#coordinator, transactionalId, signal);
  }

  /** Ends the open transaction of another, which can't commit anything from then on. */
  async fence(transactionalId: string, signal?: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    const coordinator = new Coordinator(cluster, 'transaction', transactionalId, 'transaction end');
    await initialize(cluster, coordinator, transactionalId, signal);
  }

  /**
   * Runs one transaction; one at a time. Resolves with the offset of the last record of each of
   * its writes once it is committed. Rejects with `TransactionAborted`; with anything else when
   * it can't be told what counts: then this object is done with.
   */
  async run(transaction: Transaction): Promise<number[]> {
    try {
      const offsets = await this.#fill(transaction);
      await this.#commit();
      return offsets;
    } catch (error) {
      if (!ABORTED.has(codeOf(error))) throw error;
      await this.begin();
      const code = codeOf(error);
      throw new TransactionAborted(`the transaction was aborted (${code})`, { cause: error });
    }
  }

  /** What is under way rejects. */
  close(): void {
    this.#sender.close(new LullError('log_closed', 'transactions are over'));
  }

  async #fill({ member, offsets, writes }: Transaction): Promise<number[]> {
    const { cluster, transactionalId, groupId, inputTopic } = this.#options;
    const producer = this.#producer!;
    const stop = new AbortController();
    const parameters = [transactionalId, producer, groupId, member, inputTopic, offsets] as const;
    const work = [
      ...writes.map((write) => this.#send(write, producer, stop.signal)),
      cluster.retry(() => this.#group.call(txnOffsetCommitV5, ...parameters), stop.signal),
    ];
    try {
      return (await Promise.all(work)).slice(0, -1) as number[];
    } catch (error) {
      stop.abort(error);
      // No answer may come in later, into the next transaction.
      await Promise.allSettled(work);
      throw error;
    }
  }

  /** Resolves with the offset of the last record. */
  async #send(
    { topic, partition, batches }: PartitionBatches,
    producer: ProducerIdentity,
    signal: AbortSignal,
  ): Promise<number> {
    const timestampMs = this.#options.cluster.clock.nowMs();
    let baseSequence = 0;
    let last = -1;
    const sends = batches.map(async (builder) => {
      const stamp = { ...producer, baseSequence, transactional: true };
      baseSequence += builder.count;
      const batch = builder.seal({ stamp, timestampMs, compression: COMPRESSION });
      const baseOffset = await this.#sender.send({ topic, partition, batch }, signal);
      last = baseOffset + builder.count - 1;
      builder.recycle();
    });
    await Promise.all(sends);
    return last;
  }

  /** The same request until it is answered: a repeat answers as the first would have. */
  async #commit(): Promise<void> {
    const { cluster, transactionalId } = this.#options;
    const producer = this.#producer!;
    this.#producer = await cluster.retry(() =>
      this.#coordinator.call(endTxnV5, transactionalId, producer, true),
    );
  }
}

/** Cheapest for whoever writes and reads (docs/decisions/kafka-compression.md). */
const COMPRESSION = 'snappy';

function initialize(
  cluster: Cluster,
  coordinator: Coordinator,
  transactionalId: string,
  signal?: AbortSignal,
): Promise<ProducerIdentity> {
  return cluster.retry(async () => {
    const parameters = [transactionalId, TIMEOUT_MS, -1n, -1] as const;
    const { producerId, producerEpoch } = await coordinator.call(
      initProducerIdV5.api,
      ...parameters,
    );
    return { producerId, producerEpoch };
  }, signal);
}
