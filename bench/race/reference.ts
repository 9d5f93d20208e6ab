/**
 * The race's judge: sessions of one partition told naively, with one tier equal to grace, as
 * Kafka Streams' session windows have them where they work.
 */

export interface ClosedSession {
  readonly userId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly count: number;
}

export interface Reference {
  readonly closed: readonly ClosedSession[];
  /** How many sessions are still open. */
  readonly open: number;
  /** How many events came too late. */
  readonly dropped: number;
}

const GAP_MS = 1_800_000;
const GRACE_MS = 300_000;

export class ReferencePartition {
  private clockMs = Number.NEGATIVE_INFINITY;
  private readonly live = new Map<string, ClosedSession[]>();
  private readonly closed: ClosedSession[] = [];
  private dropped = 0;

  apply(userId: string, timeMs: number): void {
    this.clockMs = Math.max(this.clockMs, timeMs);
    const own = this.live.get(userId) ?? [];
    const live = own.filter((session) => !this.isClosed(session));
    this.closed.push(...own.filter((session) => this.isClosed(session)));
    const touched = live.filter(
      ({ startMs, endMs }) => startMs - GAP_MS <= timeMs && timeMs <= endMs + GAP_MS,
    );
    const merged: ClosedSession = {
      userId,
      startMs: Math.min(timeMs, ...touched.map(({ startMs }) => startMs)),
      endMs: Math.max(timeMs, ...touched.map(({ endMs }) => endMs)),
      count: touched.reduce((sum, { count }) => sum + count, 1),
    };
    const apart = live.filter((session) => !touched.includes(session));
    if (this.isClosed(merged)) this.dropped++;
    this.live.set(userId, this.isClosed(merged) ? live : [...apart, merged]);
  }

  result(): Reference {
    const unsent = [...this.live.values()].flat();
    const late = unsent.filter((session) => this.isClosed(session));
    const open = unsent.length - late.length;
    return { closed: [...this.closed, ...late], open, dropped: this.dropped };
  }

  private isClosed({ endMs }: ClosedSession): boolean {
    return this.clockMs > endMs + GAP_MS + GRACE_MS;
  }
}

export function togetherOf(partitions: readonly ReferencePartition[]): Reference {
  const results = partitions.map((partition) => partition.result());
  return {
    closed: results.flatMap(({ closed }) => closed),
    open: results.reduce((sum, { open }) => sum + open, 0),
    dropped: results.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}
