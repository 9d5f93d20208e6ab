/** What the collector counts. */
import type { Metrics } from '../../ops/metrics.ts';

export interface CollectorMetrics {
  accepted(count: number): void;
  rejected(code: string): void;
}

export function collectorMetrics(metrics: Metrics): CollectorMetrics {
  const accepted = metrics.counter(
    'lull_collector_events_accepted_total',
    'Events taken into the log over HTTP.',
  );
  const rejected = metrics.counter(
    'lull_collector_events_rejected_total',
    'Events refused over HTTP, by reason.',
    ['code'],
  );
  return {
    accepted: (count) => accepted.inc(count),
    rejected: (code) => rejected.inc({ code }),
  };
}
