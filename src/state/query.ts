/** What others may ask a processor about the partitions it owns. */
import type { SessionRecord } from '../core/output.ts';
import type { PartitionCounts } from '../core/partition.ts';

export interface PartitionStatus {
  readonly partition: number;
  readonly logId: string;
  /** First input offset not yet committed and published. */
  readonly visibleOffset: number;
  readonly endOffset: number;
  /** Epoch milliseconds; null before the first accepted event. */
  readonly clockMs: number | null;
  readonly sendingClockMs: number | null;
  readonly usersInMemory: number;
  /** Since the process started. */
  readonly counts: PartitionCounts;
  /** `restoring`, `running`, or `stopped` with the reason. */
  readonly state: 'restoring' | 'running' | 'stopped';
  readonly reason: string | null;
}

/** The processor's interactive queries: committed state only, never what may still be aborted. */
export interface SessionQuery {
  /** A user's sessions that are not settled yet, latest end first. */
  sessionsOf(userId: string): Promise<SessionRecord[]>;
  /**
   * Resolves true once `offset` of the partition is committed and published, false after the wait.
   */
  waitVisible(partition: number, offset: number, timeoutMs: number): Promise<boolean>;
  status(): PartitionStatus[];
}
