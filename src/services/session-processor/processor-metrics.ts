/** The processor's metrics: events by fate, commits, active sessions. */
import type { Fate } from '../../core/output.ts';
import type { Live } from '../../live/live.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { ProcessorOptions } from './session-processor.ts';

const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Names that have a label of their own; any other type is counted as OTHER. */
const TYPES = new Set(['PAGE_VIEW', 'CLICK', 'ADD_TO_CART', 'SEARCH', 'PURCHASE']);

/** Defines them, and gives the processor what to call. */
export function processorMetrics(
  metrics: Metrics,
  live: Live,
): Required<Pick<ProcessorOptions, 'onFate' | 'onCommit'>> {
  const events = metrics.counter(
    'lull_events_processed_total',
    'Events by type, what became of them, and why they were refused.',
    ['type', 'fate', 'reason'],
  );
  const commits = metrics.histogram(
    'lull_commit_duration_seconds',
    'Time from freezing what changed to having it stored and published.',
    COMMIT_SECONDS,
  );
  const users = metrics.counter('lull_commit_users_total', 'Users written by commits.');
  metrics.gauge(
    'kafka_streams_state_store_records',
    'Active sessions: users with a live session.',
    [],
    async (gauge) => gauge.set(await live.size()),
  );
  // A counter's own look-up by labels costs more than an event.
  const counted = new Map<string, { type: string; fate: Fate; reason: string; count: number }>();
  return {
    onFate: (fate, eventType, reason) => {
      const type = TYPES.has(eventType) ? eventType : 'OTHER';
      const key = `${type} ${fate} ${reason}`;
      const count = counted.get(key);
      if (count === undefined) counted.set(key, { type, fate, reason, count: 1 });
      else count.count++;
    },
    onCommit: (changedUsers, durationMs) => {
      for (const { type, fate, reason, count } of counted.values()) {
        events.inc({ type, fate, reason }, count);
      }
      counted.clear();
      users.inc(changedUsers);
      commits.observe(durationMs / 1000);
    },
  };
}
