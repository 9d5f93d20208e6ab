/** The page of answers: how fast, from which tier, how many, and how full what is bounded is. */
import { dashboard, quantiles, rate } from './panels.ts';

const LATENCY = 'lull_http_request_duration_seconds';

export const serving = dashboard('lull-serving', 'Serving', [
  {
    title: null,
    panels: [
      {
        title: 'Query latency by route (p99)',
        description: 'From request to the end of its answer, streams left out.',
        unit: 's',
        queries: quantiles(LATENCY, 'route').slice(2),
      },
      {
        title: 'Query latency by source',
        description: 'By the tier that the answer came from; none: no answer about sessions.',
        unit: 's',
        queries: quantiles(LATENCY, 'source'),
      },
      {
        title: 'Live session of a user: latency',
        description: 'GET /api/sessions/active/:userId.',
        unit: 's',
        queries: quantiles(LATENCY, '', '{route="/api/sessions/active/:userId"}'),
      },
      {
        title: 'Requests per second',
        description: 'By route.',
        unit: 'short',
        queries: [[rate('lull_http_requests_total', 'route'), '{{route}}']],
      },
    ],
  },
  {
    title: 'Tiers',
    panels: [
      {
        title: 'Hits by tier',
        description: 'Look-ups per second that found a session there.',
        unit: 'short',
        queries: [[rate('lull_session_lookups_total{result="hit"}', 'tier'), '{{tier}}']],
      },
      {
        title: 'Misses by tier',
        description: 'Look-ups per second that went on to the next tier, or found none.',
        unit: 'short',
        queries: [[rate('lull_session_lookups_total{result="miss"}', 'tier'), '{{tier}}']],
      },
      {
        title: 'Hit ratio by tier',
        description: 'Over the last 5 minutes, of the look-ups that came to the tier.',
        unit: 'percentunit',
        queries: [['lull:session_lookups:hit_ratio5m', '{{tier}}']],
      },
      {
        title: 'Answers by status',
        description: 'Per second.',
        unit: 'short',
        queries: [[rate('lull_http_requests_total', 'status'), '{{status}}']],
      },
    ],
  },
  {
    title: 'Intake and bounds',
    panels: [
      {
        title: 'Events over HTTP per second',
        description: 'Accepted, and refused by reason.',
        unit: 'short',
        queries: [
          [rate('lull_collector_events_accepted_total'), 'accepted'],
          [rate('lull_collector_events_rejected_total', 'code'), 'refused: {{code}}'],
        ],
      },
      {
        title: 'How full what is bounded is',
        description: 'users_in_memory is a cache, and usually full; disk_bytes is kept below 1.',
        unit: 'percentunit',
        queries: [['lull_queue_depth / lull_queue_limit', '{{queue}} {{instance}}']],
      },
      {
        title: 'Readers of streams',
        description: 'Of server-sent events; more than the bound are refused.',
        unit: 'short',
        queries: [['lull_queue_depth{queue="stream_clients"}', '{{instance}}']],
      },
      {
        title: 'CPU',
        description: 'Cores in use, by process.',
        unit: 'short',
        queries: [[rate('process_cpu_seconds_total', 'job, instance'), '{{job}} {{instance}}']],
      },
    ],
  },
]);
