/** Prometheus metrics of this process: one registry, each metric defined once whoever asks. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';

export type { Counter, Gauge, Histogram };

export interface Metrics {
  /** Asking again for a name gives the same metric. Names as Prometheus has them: units last. */
  counter<Label extends string = never>(
    name: string,
    help: string,
    labels?: readonly Label[],
  ): Counter<Label>;
  /** `read`, where given, is asked for the value each time the metrics are. */
  gauge<Label extends string = never>(
    name: string,
    help: string,
    labels?: readonly Label[],
    read?: (gauge: Gauge<Label>) => void,
  ): Gauge<Label>;
  histogram<Label extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly Label[],
  ): Histogram<Label>;
  /** All metrics in Prometheus' text format, for a response of type `contentType`. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  function once<Kind>(name: string, define: () => Kind): Kind {
    return (registry.getSingleMetric(name) as Kind | undefined) ?? define();
  }

  return {
    counter: (name, help, labelNames = []) =>
      once(name, () => new Counter({ name, help, labelNames, registers })),
    gauge: <Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[] = [],
      read?: (gauge: Gauge<Label>) => void,
    ) =>
      once(name, () => {
        const gauge: Gauge<Label> = new Gauge({
          name,
          help,
          labelNames,
          registers,
          collect: () => read?.(gauge),
        });
        return gauge;
      }),
    histogram: (name, help, buckets, labelNames = []) =>
      once(name, () => {
        return new Histogram({ name, help, buckets: [...buckets], labelNames, registers });
      }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
