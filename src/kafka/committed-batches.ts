/** What a reader of committed records may see of an answer to a fetch. */
import type { FetchedPartition } from './fetch-request.ts';
import { type RecordBatch, splitBatches } from './record-batch.ts';

export interface CommittedBatches {
  readonly batches: readonly RecordBatch[];
  /** Where the next fetch goes on; the fetched offset itself when no whole batch was there. */
  readonly nextOffset: number;
}

/**
 * Leaves out markers, aborted transactions and what lies before the fetched offset. A producer's
 * records count as aborted from its listed first offset until its abort marker
 * (Fetcher.CompletedFetch of Kafka's consumer): the list is that of this answer alone.
 */
export function committedBatches(
  { records, aborted }: Pick<FetchedPartition, 'records' | 'aborted'>,
  fetchOffset: number,
): CommittedBatches {
  const pending = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset);
  const aborting = new Set<bigint>();
  const batches: RecordBatch[] = [];
  let nextOffset = fetchOffset;
  for (const batch of splitBatches(records)) {
    while (pending.length > 0 && pending[0]!.firstOffset < batch.endOffset) {
      aborting.add(pending.shift()!.producerId);
    }
    nextOffset = Math.max(nextOffset, batch.endOffset);
    if (batch.isControl) {
      if (batch.isAbort) aborting.delete(batch.producerId);
    } else if (batch.isTransactional && aborting.has(batch.producerId)) {
      // Never happened.
    } else if (batch.endOffset > fetchOffset) {
      batches.push(batch);
    }
  }
  return { batches, nextOffset };
}
