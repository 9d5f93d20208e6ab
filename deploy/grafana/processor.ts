/** The processor's page: partitions, clocks, commits, state, restore and copies; then history. */
import { dashboard, quantiles, rate } from './panels.ts';

export const processor = dashboard('lull-processor', 'Processor', [
  {
    title: null,
    panels: [
      {
        title: 'Consumer lag',
        description: 'Events of a partition that are not committed and published yet.',
        unit: 'short',
        queries: [['max by (partition) (lull_consumer_lag_records)', '{{partition}}']],
      },
      {
        title: 'Partitions',
        description: 'By whether they are restoring, running or stopped.',
        unit: 'short',
        queries: [['sum by (state) (lull_partitions)', '{{state}}']],
      },
      {
        title: 'Clock lag',
        description: 'How far the highest event time of a partition is behind the time of day.',
        unit: 's',
        queries: [['max by (partition) (lull_clock_lag_seconds)', '{{partition}}']],
      },
      {
        title: 'Sending clock lag',
        description: 'The same of the clock that closes sessions; it runs on while nothing comes.',
        unit: 's',
        queries: [['max by (partition) (lull_sending_clock_lag_seconds)', '{{partition}}']],
      },
    ],
  },
  {
    title: 'Commits',
    panels: [
      {
        title: 'Commit duration',
        description: 'From freezing what changed to having it stored and published.',
        unit: 's',
        queries: quantiles('lull_commit_duration_seconds'),
      },
      {
        title: 'Commits per second',
        description: 'Aborted ones were taken back: their partitions were opened again.',
        unit: 'short',
        queries: [
          [rate('lull_commit_duration_seconds_count'), 'commits'],
          [rate('lull_commits_aborted_total'), 'aborted'],
        ],
      },
      {
        title: 'Bytes in a commit',
        description: 'Keys and values of state and outputs.',
        unit: 'bytes',
        queries: quantiles('lull_commit_bytes'),
      },
      {
        title: 'Users written per second',
        description: 'A user that has changed is written once a commit.',
        unit: 'short',
        queries: [[rate('lull_commit_users_total'), 'users']],
      },
      {
        title: 'Sent to the sessions topic',
        description: 'Records per second, by state and by the tier that had passed.',
        unit: 'short',
        queries: [[rate('lull_sessions_sent_total', 'state, tier'), '{{state}} {{tier}}']],
      },
    ],
  },
  {
    title: 'State, restore and copies',
    panels: [
      {
        title: 'State on disk',
        description: 'Of each processor, with its standby copies.',
        unit: 'bytes',
        queries: [['lull_state_bytes', '{{instance}}']],
      },
      {
        title: 'Users in memory',
        description: 'Others are read from the state when an event of theirs comes.',
        unit: 'short',
        queries: [
          ['lull_queue_depth{queue="users_in_memory"}', '{{instance}}'],
          ['max(lull_queue_limit{queue="users_in_memory"})', 'kept at most'],
        ],
      },
      {
        title: 'Restore: records to go',
        description: 'Of the changelog, before the partition runs.',
        unit: 'short',
        queries: [['max by (partition) (lull_restore_remaining_records)', '{{partition}}']],
      },
      {
        title: 'Standby copies',
        description: 'Kept, and as many as there should be with enough processors.',
        unit: 'short',
        queries: [
          ['sum(lull_standby_copies)', 'kept'],
          ['sum(lull_partitions) * max(lull_standby_target)', 'wanted'],
        ],
      },
      {
        title: 'Standby lag',
        description: 'Records of the changelog that a copy lacks. Empty where none is kept.',
        unit: 'short',
        queries: [['max by (partition) (lull_standby_lag_records)', '{{partition}}']],
      },
    ],
  },
  {
    title: 'History',
    panels: [
      {
        title: 'Behind',
        description: 'Records of the sessions topic that are not in history yet.',
        unit: 'short',
        queries: [['sum(lull_history_behind_records)', 'records']],
      },
      {
        title: 'Records into history per second',
        description: 'By state.',
        unit: 'short',
        queries: [[rate('lull_history_records_total', 'state'), '{{state}}']],
      },
      {
        title: 'Time for a batch',
        description: 'That PostgreSQL takes to have it.',
        unit: 's',
        queries: quantiles('lull_history_apply_duration_seconds'),
      },
      {
        title: 'Event loop delay',
        description: 'Of each process: near 0 unless it is out of CPU.',
        unit: 's',
        queries: [['nodejs_eventloop_lag_p99_seconds', 'p99 {{job}} {{instance}}']],
      },
    ],
  },
]);
