/** The service's metrics: records applied and skipped, how far behind, how long sessions are. */
import type { SentRecord } from '../../core/output.ts';
import type { Metrics } from '../../ops/metrics.ts';

const DURATION_SECONDS = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];

export interface AnalyticsMetrics {
  applied(records: readonly SentRecord[]): void;
  unreadable(records: number): void;
  /** What is asked for the number of records that are not in history yet. */
  onBehind(read: () => number): void;
}

export function analyticsMetrics(metrics: Metrics): AnalyticsMetrics {
  const applied = metrics.counter(
    'lull_history_records_total',
    'Records of the sessions topic brought into history, by state.',
    ['state'],
  );
  const unreadable = metrics.counter(
    'lull_history_unreadable_records_total',
    'Records of the sessions topic that are no session: skipped.',
  );
  const durations = metrics.histogram(
    'session_duration_seconds',
    'Duration of sessions when they were first sent as closed.',
    DURATION_SECONDS,
  );
  return {
    applied: (records) => {
      const counts = new Map<string, number>();
      for (const record of records) {
        counts.set(record.state, (counts.get(record.state) ?? 0) + 1);
        if (record.state === 'closed') durations.observe(record.durationSeconds);
      }
      for (const [state, count] of counts) applied.inc({ state }, count);
    },
    unreadable: (records) => unreadable.inc(records),
    onBehind: (read) => {
      metrics.gauge(
        'lull_history_behind_records',
        'Records of the sessions topic that are not in history yet.',
        [],
        (gauge) => gauge.set(read()),
      );
    },
  };
}
