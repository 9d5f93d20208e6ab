/** The service's metrics: records applied, how far behind, how long sessions are, conversions. */
import type { SentRecord } from '../../core/output.ts';
import type { Metrics } from '../../ops/metrics.ts';

const STATES = ['active', 'closed', 'amended', 'merged'];
const APPLY_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const DURATION_SECONDS = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];

export interface AnalyticsMetrics {
  /** A batch, and how long history took to have it. */
  applied(records: readonly SentRecord[], durationMs: number): void;
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
  const conversions = metrics.counter(
    'lull_session_conversions_total',
    'Sessions that had a conversion when they were first sent as closed.',
  );
  const applying = metrics.histogram(
    'lull_history_apply_duration_seconds',
    'Time that history took to have a batch of records.',
    APPLY_SECONDS,
  );
  for (const state of STATES) applied.inc({ state }, 0);
  return {
    applied: (records, durationMs) => {
      applying.observe(durationMs / 1000);
      const counts = new Map<string, number>();
      for (const record of records) {
        counts.set(record.state, (counts.get(record.state) ?? 0) + 1);
        if (record.state !== 'closed') continue;
        durations.observe(record.durationSeconds);
        if (record.hasConversion) conversions.inc();
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
