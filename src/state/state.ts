/** A partition's state: key/value records, changed only in one atomic commit with their outputs. */
import type { TopicReader } from '../log/log.ts';

/** Where a partition stands: stored in the same commit as everything that led to it. */
export interface Checkpoint {
  /** The input log that `nextOffset` belongs to. */
  readonly logId: string;
  /** Offset of the first input record not yet in the state. */
  readonly nextOffset: number;
  /** The event clock, epoch milliseconds; `-Infinity` before the first accepted event. */
  readonly clockMs: number;
}

export interface StateWrite {
  readonly key: Uint8Array;
  /** null deletes. */
  readonly value: Uint8Array | null;
}

/** Moves a user's entry in the deadline index; at most one entry a user. */
export interface DeadlineMove {
  readonly userId: string;
  /** The minute (epoch) of the entry to remove; null when there was none. */
  readonly fromMinute: number | null;
  /** The minute of the entry to write; null when nothing of the user is due any more. */
  readonly toMinute: number | null;
}

export interface DeadlineEntry {
  readonly minute: number;
  readonly userId: string;
}

/** A record for one of the topics that the processor writes. */
export interface OutputRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: Uint8Array;
}

/** Everything that one partition changes in one commit. */
export interface PartitionCommit {
  readonly partition: number;
  readonly writes: readonly StateWrite[];
  readonly deadlines: readonly DeadlineMove[];
  readonly outputs: readonly OutputRecord[];
  readonly checkpoint: Checkpoint;
}

/**
 * A commit was taken back whole: this process no longer owns all of its partitions, or was about
 * to lose them. What memory holds beyond the last commit is worth nothing, in every partition, and
 * commits called meanwhile are taken back too: drop the memory and the frozen sets of all of them,
 * and open again those that are still, or again, assigned here.
 */
export class CommitAborted extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CommitAborted';
  }
}

export interface StateStore {
  /**
   * Makes a partition ready to serve here; null when nothing was ever committed. May be called
   * again, once the call before has settled. Rejects soon after the signal aborts.
   */
  open(partition: number, signal?: AbortSignal): Promise<Checkpoint | null>;
  /** Values in the order of the keys, null where there is none; sees every commit that resolved. */
  getMany(partition: number, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>;
  /**
   * Entries of the deadline index up to and including a minute, by minute and user, at most
   * `limit`; only those after `after` where it is given (the caller keeps its place, so that
   * what was removed before it is not passed over again and again).
   */
  dueUsers(
    partition: number,
    after: DeadlineEntry | null,
    untilMinute: number,
    limit: number,
  ): Promise<DeadlineEntry[]>;
  /** Every key of the partition that starts with `prefix`, in byte order, lazily. */
  scan(
    partition: number,
    prefix: Uint8Array,
  ): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>;
  /**
   * All of it or nothing: state, deadline index, outputs and checkpoints of these partitions.
   * Resolves with the position of each, in their order, which rises by commit within a partition;
   * calls are applied in order. Nothing it was given may change until then. Each partition must
   * have been opened since the last commit that was aborted.
   *
   * Rejects with `CommitAborted` when nothing of it counts and the store goes on. Rejects with
   * `disk_full` and the like; then whether it counts is known only after the store has been closed
   * and opened again, and until that every call rejects.
   */
  commit(commits: readonly PartitionCommit[]): Promise<number[]>;
  /** Position of the newest commit of an opened partition; 0 before its first. */
  position(partition: number): number;
  /** Makes everything committed so far survive a power loss, and says up to which input offsets. */
  sync(): Promise<ReadonlyMap<number, number>>;
  /** The topics that commits write to, for reading. */
  topic(name: string): TopicReader;
  /** Lets go of outputs below these offsets, by partition; Kafka's topics see to it themselves. */
  releaseOutputs(topic: string, offsets: readonly number[]): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}
