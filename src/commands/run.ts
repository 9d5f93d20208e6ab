/** `lull run`: one or more services in this process, on Kafka, Redis and PostgreSQL. */
import { checkRun, withoutPassword } from '../config.ts';
import { LullError } from '../errors.ts';
import type { DistributedOptions, ServiceName } from '../modes/distributed.ts';
import { systemClock } from '../ops/clock.ts';
import { Lifecycle } from '../ops/lifecycle.ts';
import { createLogger } from '../ops/logger.ts';
import { Report } from '../ops/report.ts';
import type { BackfillProgress } from '../services/event-producer/event-producer.ts';
import { loadOf } from '../services/event-producer/load.ts';
import type { Command } from './command.ts';
import { backfillLine, startLine } from './start-screen.ts';

/** Everything must have stopped by then. */
const STOP_WITHIN_MS = 30_000;

export const KAFKA_SETTINGS = [
  ...(['kafkaServers', 'kafkaProtocol', 'kafkaCaFile', 'kafkaCertificateFile'] as const),
  ...(['kafkaKeyFile', 'kafkaMechanism', 'kafkaUser', 'kafkaPassword'] as const),
  ...(['partitions', 'replication', 'prefix'] as const),
];

export const run: Command = {
  name: 'run',
  summary: 'run services on Kafka, Redis and PostgreSQL, any number of instances of each',
  arguments: '<service...>',
  settings: [
    ...(['host', 'port', 'advertisedUrl', 'token', 'auth', 'corsOrigins'] as const),
    ...(['allowedHosts', 'intakeRatePerSecond', 'dataDir'] as const),
    ...KAFKA_SETTINGS,
    ...(['redisUrl', 'databaseUrl', 'standbys', 'sessionTimeoutMs', 'commitIntervalMs'] as const),
    ...(['gapMs', 'graceMs', 'tiersMs', 'maxDurationMs', 'maxEvents', 'endTypes'] as const),
    ...(['idleMs', 'maxFutureMs', 'memoryUsers', 'retainSessionsMs'] as const),
    ...(['backfillMs', 'users', 'ratePerSecond', 'seed', 'logLevel'] as const),
  ],
  defaults: { commitIntervalMs: '100ms', users: '50', ratePerSecond: '500', logLevel: 'info' },
  notes: `Services: api-gateway (port 8080), event-producer (8081), session-processor (8082),
session-analytics (8083). Several in one process open one port, that of the first in this order.
Instances on one machine need a --port and a --data of their own.`,
  run: async ({ loaded, arguments: given }) => {
    const { SERVICE_PORTS } = await import('../modes/distributed.ts');
    const services = chosen(given, SERVICE_PORTS);
    checkRun(loaded);
    const isPortSet = loaded.provenance.port.origin !== 'default';
    const standard = Object.entries(SERVICE_PORTS).find(([name]) => services.has(name as never))!;
    const config = isPortSet ? loaded.config : { ...loaded.config, port: standard[1] };
    if (services.has('event-producer')) {
      // A load that can't work is refused before anything is made.
      loadOf({ users: config.users ?? undefined, rate: config.ratePerSecond ?? undefined });
    }
    const logger = createLogger(config.logLevel);
    const lifecycle = new Lifecycle(systemClock, logger, STOP_WITHIN_MS);
    lifecycle.stopOnSignals();
    try {
      await serve({ config, services, clock: systemClock, logger, lifecycle });
    } catch (error) {
      // What was cut short by a signal has not failed.
      if (lifecycle.signal.aborted) return (await lifecycle.stopped) ? 0 : 1;
      await lifecycle.stop();
      throw error;
    }
    return (await lifecycle.stop()) ? 0 : 1;
  },
};

/** Resolves when a signal has stopped it; rejects when it can't start or go on. */
async function serve(options: Omit<DistributedOptions, 'onBackfill'>): Promise<void> {
  const { config, services, lifecycle, logger } = options;
  const report = new Report(process.stderr, systemClock);
  let backfill: BackfillProgress | null = null;
  const { startDistributed } = await import('../modes/distributed.ts');
  const system = await startDistributed({
    ...options,
    onBackfill: (reached) => {
      backfill = reached;
      report.progress(() => backfillLine(reached));
    },
  });
  const { kafkaServers, redisUrl, databaseUrl } = config;
  const servers = [kafkaServers, withoutPassword(redisUrl), withoutPassword(databaseUrl)];
  console.log(runScreen(services, system.url, servers));
  const line = { ...startLine(config, system.url), services: [...services], servers };
  logger.info(line, 'Lull is running');
  const ready = system.ready.then(() => {
    if (lifecycle.signal.aborted) return;
    report.line(backfill === null ? 'Ready' : `${backfillLine(backfill)}. Ready`);
  });
  await Promise.race([system.failed, lifecycle.stopped, ready.then(() => lifecycle.stopped)]);
}

function chosen(given: readonly string[], ports: Readonly<Record<ServiceName, number>>) {
  const known = Object.keys(ports);
  const wrong = given.find((name) => !known.includes(name));
  if (wrong === undefined) return new Set(given as ServiceName[]);
  throw new LullError('wrong_usage', `there is no service ${wrong}: ${known.join(', ')}`);
}

function runScreen(
  services: ReadonlySet<string>,
  url: string,
  [kafka, redis, postgres]: readonly string[],
): string {
  return `Lull is running: ${url}
${[...services].join(', ')}; see ${url}/health and ${url}/metrics
Kafka ${kafka}, Redis ${redis}, PostgreSQL ${postgres}`;
}
