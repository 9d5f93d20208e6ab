/** The event-producer's metrics: events that it has written, and how many it is to write. */
import type { Metrics } from '../../ops/metrics.ts';
import type { EventProducer } from './event-producer.ts';

export function producerMetrics(metrics: Metrics, producer: EventProducer): void {
  metrics.total(
    'kafka_producer_record_send_total',
    'Live events that the event-producer has written to the log.',
    () => producer.counts().sent,
  );
  metrics.total(
    'lull_producer_backfill_events_total',
    'Events of the past that the event-producer has written to the log.',
    () => producer.counts().backfilled,
  );
  metrics.gauge(
    'lull_producer_target_rate',
    'Events a second that the shoppers are to make.',
    [],
    (gauge) => gauge.set(producer.rate().eventsPerSecond),
  );
}
