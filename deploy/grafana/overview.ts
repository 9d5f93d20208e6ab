/** The first page: events, sessions, how long they are, how many convert; and what is not well. */
import { dashboard, rate } from './panels.ts';

export const overview = dashboard('lull-overview', 'Overview', [
  {
    title: null,
    panels: [
      {
        title: 'Events per second',
        description: 'Processed; and where they come from: the simulator, or clients over HTTP.',
        unit: 'short',
        queries: [
          [rate('lull_events_processed_total'), 'processed'],
          [rate('kafka_producer_record_send_total'), 'simulated'],
          [rate('lull_collector_events_accepted_total'), 'over HTTP'],
        ],
      },
      {
        title: 'Active sessions over time',
        description: 'Users with a live session.',
        unit: 'short',
        // Each processor tells that of the whole system.
        queries: [['max(kafka_streams_state_store_records)', 'active sessions']],
      },
      {
        title: 'Session duration',
        description: 'Of the sessions that were closed in the hour before.',
        unit: 's',
        queries: [
          ['lull:session_duration_seconds:p50_1h', 'p50'],
          ['lull:session_duration_seconds:p95_1h', 'p95'],
          ['lull:session_duration_seconds:p99_1h', 'p99'],
        ],
      },
      {
        title: 'Conversion rate trend',
        description: 'Share of the sessions that were closed in the hour before with a purchase.',
        unit: 'percentunit',
        queries: [['lull:session_conversions:ratio1h', 'conversion rate']],
      },
    ],
  },
  {
    title: 'Sessions and events',
    panels: [
      {
        title: 'Sessions per second',
        description: 'What happens to them. Amended: sent again because of an event that was late.',
        unit: 'short',
        queries: [
          [
            rate('lull_sessions_total{change=~"opened|closed|merged|amended|revived"}', 'change'),
            '{{change}}',
          ],
        ],
      },
      {
        title: 'Events by type',
        description: 'Processed, per second.',
        unit: 'short',
        queries: [[rate('lull_events_processed_total', 'type'), '{{type}}']],
      },
      {
        title: 'Events by what became of them',
        description:
          'Processed, per second: a session opened, extended, bridged, amended; or none.',
        unit: 'short',
        queries: [[rate('lull_events_processed_total', 'fate'), '{{fate}}']],
      },
      {
        title: 'Late and rejected events',
        description: 'Per second, by reason; they lie in late-events and rejected-events.',
        unit: 'short',
        queries: [
          [
            rate('lull_events_processed_total{fate=~"late|rejected"}', 'fate, reason'),
            '{{fate}}: {{reason}}',
          ],
        ],
      },
    ],
  },
  {
    title: 'How the system is',
    panels: [
      {
        title: 'Parts that are well',
        description: '1: as it should be; 0: /health of the service says what is not.',
        unit: 'short',
        queries: [
          ['min by (part) (lull_part_ok)', '{{part}}'],
          ['min by (job) (up)', '{{job}} answers'],
        ],
      },
      {
        title: 'Memory',
        description: 'Resident, of each process.',
        unit: 'bytes',
        queries: [['process_resident_memory_bytes', '{{job}} {{instance}}']],
      },
    ],
  },
]);
