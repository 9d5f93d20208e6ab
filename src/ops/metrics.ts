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
  /** A counter that somebody else counts: `read` is asked for its value with the metrics. */
  total(name: string, help: string, read: () => number): void;
  /**
   * `read`, where given, sets the values each time the metrics are asked for; who asks again for
   * the name puts another in its place. When it fails, or is slow, the metric has no value then.
   */
  gauge<Label extends string = never>(
    name: string,
    help: string,
    labels?: readonly Label[],
    read?: (gauge: Gauge<Label>) => void | Promise<void>,
  ): Gauge<Label>;
  histogram<Label extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly Label[],
  ): Histogram<Label>;
  /** How full something bounded is: a value of `lull_queue_depth` and one of `lull_queue_limit`. */
  queue(name: string, limit: number, depth: () => number): void;
  /** All metrics in Prometheus' text format, for a response of type `contentType`. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** A scrape that takes longer than Prometheus waits would lose all the others too. */
const READ_MS = 2000;

/**
 * Of what the library tells of the process, what is told well: others are NaN or misnamed. The user
 * part of CPU time and the plain lag must be there for the others like them to be read at all.
 */
const OF_PROCESS = new RegExp(
  '^(process_cpu_((user|system)_)?seconds_total' +
    '|process_(start_time_seconds|resident_memory_bytes|open_fds|max_fds)' +
    '|nodejs_eventloop_lag_((p50|p99|max)_)?seconds' +
    '|nodejs_(heap_size_total|heap_size_used|external_memory)_bytes' +
    '|nodejs_gc_duration_seconds|nodejs_version_info)$',
);

type Read = (gauge: Gauge<string>) => void | Promise<void>;

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectOfProcess(registry);
  const reads = new Map<string, Read>();
  const queues = new Map<string, { readonly limit: number; readonly depth: () => number }>();

  function once<Kind>(name: string, define: () => Kind): Kind {
    return (registry.getSingleMetric(name) as Kind | undefined) ?? define();
  }

  function gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    read?: (gauge: Gauge<Label>) => void | Promise<void>,
  ): Gauge<Label> {
    if (read !== undefined) reads.set(name, read as Read);
    return once(name, () => {
      const made: Gauge<Label> = new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect: () => readInto(made as Gauge<string>, labelNames.length === 0, reads.get(name)),
      });
      return made;
    });
  }

  return {
    counter: (name, help, labelNames = []) =>
      once(name, () => new Counter({ name, help, labelNames, registers })),
    total: (name, help, read) => {
      registry.removeSingleMetric(name);
      const made: Counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          made.reset();
          made.inc(read());
        },
      });
    },
    gauge,
    histogram: (name, help, buckets, labelNames = []) =>
      once(name, () => {
        return new Histogram({ name, help, buckets: [...buckets], labelNames, registers });
      }),
    queue: (name, limit, depth) => {
      queues.set(name, { limit, depth });
      gauge('lull_queue_depth', 'How much is in something bounded, by name.', ['queue'], (made) => {
        for (const [queue, { depth }] of queues) made.set({ queue }, depth());
      });
      gauge('lull_queue_limit', 'What `lull_queue_depth` may be at most.', ['queue'], (made) => {
        for (const [queue, { limit }] of queues) made.set({ queue }, limit);
      });
    },
    text: async () => (await registry.metrics()).replaceAll(/^[^#\n].* NaN\n/gm, ''),
    contentType: registry.contentType,
  };
}

function collectOfProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!OF_PROCESS.test(name)) registry.removeSingleMetric(name);
  }
}

/** What was read before is no answer: where nothing can be read now, nothing is said. */
async function readInto(
  gauge: Gauge<string>,
  isPlain: boolean,
  read: Read | undefined,
): Promise<void> {
  if (read === undefined) return;
  const clear = () => {
    gauge.reset();
    // One without labels would be 0 then.
    if (isPlain) gauge.remove({});
  };
  clear();
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), READ_MS);
  try {
    if ((await Promise.race([read(gauge), late])) === 'late') clear();
  } catch {
    clear();
  } finally {
    clearTimeout(timer);
  }
}
