/** The processor's metrics: events by fate, commits, sessions, and how each partition stands. */
import type { Fate } from '../../core/output.ts';
import type { Live } from '../../live/live.ts';
import type { Clock } from '../../ops/clock.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { PartitionStatus } from '../../state/query.ts';
import type { StateStore } from '../../state/state.ts';
import type { TaskCommit } from './partition-task.ts';
import type { ProcessorOptions } from './session-processor.ts';

const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const COMMIT_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

const OTHER = 'OTHER';
/** Names that have a label of their own; any other type is counted as OTHER. */
const TYPES = ['PAGE_VIEW', 'CLICK', 'ADD_TO_CART', 'SEARCH', 'PURCHASE', OTHER];

/** Each with the reason that it has, or usually has; others come to be when they are needed. */
const FATES: readonly (readonly [Fate, string])[] = [
  ...(['opened', 'extended', 'bridged', 'amended', 'duplicate'] as const).map(
    (fate) => [fate, ''] as const,
  ),
  ['late', 'too_late'],
  ['rejected', 'timestamp_in_future'],
];

/** What became of events, and of how many since the last commit, by type. */
interface Outcome {
  readonly fate: Fate;
  readonly reason: string;
  readonly counts: Map<string, number>;
}

type Told = Required<Pick<ProcessorOptions, 'onFate' | 'onCommit' | 'onCommitAborted'>>;

/** Defines what is counted, and gives the processor what to call. */
export function processorMetrics(metrics: Metrics, live: Pick<Live, 'size'>): Told {
  const events = metrics.counter(
    'lull_events_processed_total',
    'Events by type, what became of them, and why they were refused.',
    ['type', 'fate', 'reason'],
  );
  // What begins at 0 has a rate from its first event on.
  for (const type of TYPES) {
    for (const [fate, reason] of FATES) events.inc({ type, fate, reason }, 0);
  }
  const aborted = metrics.counter(
    'lull_commits_aborted_total',
    'Commits that were taken back, after which all partitions are opened again.',
  );
  metrics.gauge(
    'kafka_streams_state_store_records',
    'Active sessions: users with a live session, of the whole system.',
    [],
    async (gauge) => gauge.set(await live.size()),
  );
  const observe = commitMetrics(metrics);
  // By reason, or else by fate: no two fates have a reason in common. A counter's own look-up by
  // labels costs more than an event.
  const outcomes = new Map<string, Outcome>();
  return {
    onFate: (fate, eventType, reason) => {
      let outcome = outcomes.get(reason || fate);
      if (outcome === undefined) {
        outcome = { fate, reason, counts: new Map(TYPES.map((type) => [type, 0])) };
        outcomes.set(reason || fate, outcome);
      }
      const { counts } = outcome;
      const type = counts.has(eventType) ? eventType : OTHER;
      counts.set(type, counts.get(type)! + 1);
    },
    onCommit: (users, durationMs, commits) => {
      for (const { fate, reason, counts } of outcomes.values()) {
        for (const [type, count] of counts) {
          if (count > 0) events.inc({ type, fate, reason }, count);
        }
      }
      outcomes.clear();
      observe(users, durationMs, commits);
    },
    onCommitAborted: () => aborted.inc(),
  };
}

function commitMetrics(metrics: Metrics): Told['onCommit'] {
  const durations = metrics.histogram(
    'lull_commit_duration_seconds',
    'Time from freezing what changed to having it stored and published.',
    COMMIT_SECONDS,
  );
  const sizes = metrics.histogram(
    'lull_commit_bytes',
    'Keys and values of state and outputs in a commit.',
    COMMIT_BYTES,
  );
  const users = metrics.counter('lull_commit_users_total', 'Users written by commits.');
  const sessions = metrics.counter(
    'lull_sessions_total',
    'Sessions by what happened to them; amended is of any tier.',
    ['change'],
  );
  const sent = metrics.counter(
    'lull_sessions_sent_total',
    'Records sent to the sessions topic, by state and by the tier that had passed.',
    ['state', 'tier'],
  );
  return (changedUsers, durationMs, commits) => {
    users.inc(changedUsers);
    durations.observe(durationMs / 1000);
    sizes.observe(commits.reduce((sum, { commit }) => sum + bytesOf(commit), 0));
    for (const { changes } of commits) {
      for (const [change, count] of Object.entries(changes)) sessions.inc({ change }, count);
    }
    // A counter's own look-up for each record would cost more than to send it.
    const counts = new Map<string, { state: string; tier: string; count: number }>();
    for (const { state, tier } of commits.flatMap((commit) => commit.sent)) {
      const count = counts.get(state + tier);
      if (count === undefined) counts.set(state + tier, { state, tier, count: 1 });
      else count.count++;
    }
    for (const { state, tier, count } of counts.values()) sent.inc({ state, tier }, count);
  };
}

function bytesOf({ writes, outputs }: TaskCommit['commit']): number {
  let bytes = 0;
  for (const { key, value } of writes) bytes += key.length + (value?.length ?? 0);
  for (const { key, value } of outputs) bytes += key.length + value.length;
  return bytes;
}

export interface WatchedProcessor {
  readonly processor: { readonly status: () => readonly PartitionStatus[] };
  readonly store: Pick<StateStore, 'sizeBytes'>;
  readonly clock: Clock;
  readonly memoryUsers: number;
  /** Changelog records that a partition lacks which is being restored; null: not known. */
  readonly restoreRecords: (partition: number) => number | null;
  /** Copies that each partition is to have. */
  readonly standbyTarget: number;
  /** The copies kept here of partitions of others, and the records that each lacks. */
  readonly standbys: () => ReadonlyMap<number, number | null>;
}

/** How the partitions are that this process has, each time somebody asks. */
export function watchProcessor(metrics: Metrics, watched: WatchedProcessor): void {
  const { processor, store, memoryUsers, restoreRecords } = watched;
  watchPartitions(metrics, watched);
  watchStandbys(metrics, watched);
  metrics.gauge(
    'lull_partitions',
    'Partitions assigned here, by whether they are restoring, running or stopped.',
    ['state'],
    (gauge) => {
      for (const state of ['restoring', 'running', 'stopped']) gauge.set({ state }, 0);
      for (const { state } of processor.status()) gauge.inc({ state });
    },
  );
  metrics.gauge(
    'lull_restore_remaining_records',
    'Changelog records that a partition lacks before it can run.',
    ['partition'],
    (gauge) => {
      for (const { partition, state } of processor.status()) {
        const records = state === 'restoring' ? restoreRecords(partition) : 0;
        if (records !== null) gauge.set({ partition }, records);
      }
    },
  );
  metrics.gauge('lull_state_bytes', 'Bytes on disk of the state kept here.', [], async (gauge) =>
    gauge.set(await store.sizeBytes()),
  );
  metrics.queue('users_in_memory', memoryUsers, () =>
    processor.status().reduce((sum, { usersInMemory }) => sum + usersInMemory, 0),
  );
}

function watchPartitions(metrics: Metrics, { processor, clock }: WatchedProcessor): void {
  metrics.gauge(
    'lull_consumer_lag_records',
    'Events of a partition that are not committed and published yet.',
    ['partition'],
    (gauge) => {
      for (const { partition, visibleOffset, endOffset } of processor.status()) {
        if (visibleOffset === null) continue;
        gauge.set({ partition }, Math.max(0, endOffset - visibleOffset));
      }
    },
  );
  metrics.gauge(
    'lull_clock_lag_seconds',
    'How far behind the time of day the highest event time of a partition is.',
    ['partition'],
    (gauge) => {
      for (const { partition, clockMs } of processor.status()) {
        if (clockMs !== null) gauge.set({ partition }, (clock.nowMs() - clockMs) / 1000);
      }
    },
  );
  metrics.gauge(
    'lull_sending_clock_lag_seconds',
    'The same of the clock by which sessions are closed: it runs on while no events come.',
    ['partition'],
    (gauge) => {
      for (const { partition, sendingClockMs } of processor.status()) {
        if (sendingClockMs === null) continue;
        gauge.set({ partition }, (clock.nowMs() - sendingClockMs) / 1000);
      }
    },
  );
}

function watchStandbys(metrics: Metrics, { standbys, standbyTarget }: WatchedProcessor): void {
  metrics.gauge(
    'lull_standby_copies',
    'Copies kept here of partitions that others work on.',
    [],
    (gauge) => gauge.set(standbys().size),
  );
  metrics.gauge(
    'lull_standby_lag_records',
    'Changelog records that a standby copy lacks.',
    ['partition'],
    (gauge) => {
      for (const [partition, records] of standbys()) {
        if (records !== null) gauge.set({ partition }, records);
      }
    },
  );
  metrics.gauge(
    'lull_standby_target',
    'Standby copies that each partition is to have, as it is set.',
    [],
    (gauge) => gauge.set(standbyTarget),
  );
}
