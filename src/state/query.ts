/** What others may ask a processor about the partitions it holds. */
import type { SessionRecord } from '../core/output.ts';
import type { PartitionCounts } from '../core/partition.ts';

export interface StateAnswer {
  /** The user's sessions that are not settled yet, latest end first. */
  readonly sessions: readonly SessionRecord[];
  /** `state`: from the owner of the partition; `standby`: from a copy that follows it. */
  readonly source: 'state' | 'standby';
  /** All that was committed until then is in it, epoch milliseconds. */
  readonly asOfMs: number;
}

/** Where a write can be read: in the live cache too, or in the state only. */
export type Visibility = 'published' | 'committed';

/** Interactive queries: committed state only, never what may still be aborted. */
export interface SessionQuery {
  /**
   * What is held of a user; null where nothing of the user's partition is. Rejects with
   * `state_unavailable` when whoever holds it can't be asked.
   */
  sessionsOf(userId: string): Promise<StateAnswer | null>;
  /**
   * Resolves once `offset` of the partition is committed and, if that can be, published; with null
   * after the wait, or where it can't be known.
   */
  waitVisible(partition: number, offset: number, timeoutMs: number): Promise<Visibility | null>;
}

export interface PartitionStatus {
  readonly partition: number;
  readonly logId: string;
  /** First input offset not yet committed and published; null while restoring. */
  readonly visibleOffset: number | null;
  readonly endOffset: number;
  /** Epoch milliseconds; null before the first accepted event. */
  readonly clockMs: number | null;
  readonly sendingClockMs: number | null;
  readonly usersInMemory: number;
  /** Since the partition was taken up; null while restoring. */
  readonly counts: PartitionCounts | null;
  /** `restoring`, `running`, or `stopped` with the reason. */
  readonly state: 'restoring' | 'running' | 'stopped';
  readonly reason: string | null;
}
