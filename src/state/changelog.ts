/** A partition's commits as records of the changelog, and back. */
import { LullError } from '../errors.ts';
import { BatchBuilder, batchBound } from '../kafka/record-batch.ts';
import type { Checkpoint, OutputRecord, PartitionCommit } from './state.ts';

/**
 * The key of what a changelog says of its partition as a whole; no record of the state begins
 * with a zero byte. It is the last record of every commit, so that a copy which ends with it has
 * all of that commit.
 */
const CHECKPOINT_KEY = Buffer.of(0);

/** A batch is closed at this size, before compression: brokers take 1 MB unless told otherwise. */
const BATCH_BYTES = 900_000;

export interface ChangelogCheckpoint extends Checkpoint {
  /** Whose transaction wrote it. */
  readonly transactionalId: string;
}

export function isCheckpointKey(key: Uint8Array): boolean {
  return key.length === 1 && key[0] === 0;
}

export function decodeCheckpoint(value: Uint8Array): ChangelogCheckpoint {
  const { clockMs, ...rest } = JSON.parse(Buffer.from(value).toString());
  return { ...rest, clockMs: clockMs ?? Number.NEGATIVE_INFINITY };
}

/** What a commit writes to the changelog. */
export function changelogBatches(
  { writes, checkpoint }: PartitionCommit,
  transactionalId: string,
  topic: BatchLimit,
): BatchBuilder[] {
  const splitter = new Splitter(topic);
  for (const { key, value } of writes) {
    if (key[0] === 0) throw new RangeError('a key of the state begins with zero');
    splitter.append(key, value);
  }
  const { logId, nextOffset, clockMs } = checkpoint;
  // JSON has no -Infinity.
  const clock = Number.isFinite(clockMs) ? clockMs : null;
  const value = { logId, nextOffset, clockMs: clock, transactionalId };
  splitter.append(CHECKPOINT_KEY, Buffer.from(JSON.stringify(value)));
  return splitter.batches;
}

/** What a commit writes to one of its output topics. */
export function outputBatches(outputs: readonly OutputRecord[], topic: BatchLimit): BatchBuilder[] {
  const splitter = new Splitter(topic);
  for (const { key, value } of outputs) splitter.append(key, value);
  return splitter.batches;
}

export interface BatchLimit {
  readonly name: string;
  readonly maxBatchBytes: number;
}

/** Puts records into as many batches as they need. */
class Splitter {
  readonly batches: BatchBuilder[] = [];
  readonly #topic: BatchLimit;
  #last: BatchBuilder | undefined;

  constructor(topic: BatchLimit) {
    this.#topic = topic;
  }

  append(key: string | Uint8Array, value: Uint8Array | null): void {
    const { name, maxBatchBytes } = this.#topic;
    const bytes = batchBound(key, value);
    if (bytes > maxBatchBytes) {
      const message = `a record of ${bytes} bytes is larger than ${name} takes (${maxBatchBytes})`;
      throw new LullError('record_too_large', message);
    }
    const limit = Math.min(BATCH_BYTES, maxBatchBytes);
    if (this.#last === undefined || this.#last.sizeBytes + bytes > limit) {
      this.#last = new BatchBuilder();
      this.batches.push(this.#last);
    }
    this.#last.append(key, value);
  }
}
