/** One or more services in one process, on Kafka, Redis and PostgreSQL that others share. */
import { hostname } from 'node:os';
import type { Config } from '../config.ts';
import { LullError } from '../errors.ts';
import { accessOf } from '../http/access.ts';
import { historyRoutes } from '../http/history-routes.ts';
import { operationRoutes } from '../http/operation-routes.ts';
import { rateRoutes } from '../http/rate-routes.ts';
import { type HttpServer, startHttpServer } from '../http/server.ts';
import { stateRoutes } from '../http/state-routes.ts';
import type { Clock } from '../ops/clock.ts';
import { type HealthPart, healthOf } from '../ops/health.ts';
import type { Lifecycle } from '../ops/lifecycle.ts';
import type { Logger } from '../ops/logger.ts';
import { createMetrics, type Metrics } from '../ops/metrics.ts';
import { startApiGateway } from '../services/api-gateway/gateway.ts';
import type { BackfillProgress } from '../services/event-producer/event-producer.ts';
import { startAnalytics } from './analytics-service.ts';
import { startProcessor } from './processor-service.ts';
import { startProducer } from './producer-service.ts';
import { partHealth } from './service-health.ts';
import { openParts, type Parts, type RunningService, watchParts } from './service-parts.ts';

/** In the order that decides which port a process opens. */
export const SERVICE_PORTS = {
  'api-gateway': 8080,
  'event-producer': 8081,
  'session-processor': 8082,
  'session-analytics': 8083,
} as const;

export type ServiceName = keyof typeof SERVICE_PORTS;

export interface DistributedOptions {
  readonly config: Config;
  readonly services: ReadonlySet<ServiceName>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Everything that is started is added to it, to be stopped in reverse order. */
  readonly lifecycle: Lifecycle;
  readonly onBackfill: (progress: BackfillProgress) => void;
}

export interface DistributedSystem {
  readonly url: string;
  /** Resolves once every service here does its work, or when the end begins. */
  readonly ready: Promise<void>;
  /** Rejects when something without which it can't go on has failed. */
  readonly failed: Promise<never>;
}

const LOOK_MS = 100;

/** Waits for the servers, saying so; resolves once every service has been started. */
export async function startDistributed(options: DistributedOptions): Promise<DistributedSystem> {
  const { config, lifecycle, clock } = options;
  const metrics = createMetrics();
  let step = 'starting';
  const starting = await serveStart(options, metrics, () => step);
  const port = Number(new URL(starting.url).port);
  const url = advertisedUrl(config, port);
  let parts: Parts;
  try {
    parts = await openParts({
      ...{ ...options, metrics, url },
      onStep: (next) => {
        step = next;
      },
    });
  } finally {
    await starting.close();
  }
  const services = await startServices(parts);
  const server = await serve({ ...parts, config: { ...config, port } }, services);
  lifecycle.add('port', () => server.close());
  for (const { leave } of services) if (leave !== undefined) lifecycle.add('service', leave);
  // Only now are others told of it.
  const ends = services.flatMap(({ join }) => (join === null ? [] : [join()]));
  const failed = Promise.race(ends) as Promise<never>;
  failed.catch(() => {});
  return { url: server.url, ready: untilReady(), failed };

  async function untilReady(): Promise<void> {
    while (!lifecycle.signal.aborted && !services.every(({ isReady }) => isReady())) {
      await clock.sleep(LOOK_MS, lifecycle.signal);
    }
  }
}

/** Until everything is there the port says what is waited for. */
function serveStart(
  { config, logger }: DistributedOptions,
  metrics: Metrics,
  step: () => string,
): Promise<HttpServer> {
  const health = () => healthOf([partHealth('start', step())]);
  const access = { ...accessOf(config), token: null };
  return startHttpServer({ ...config, access, metrics, logger }, (app) => {
    operationRoutes(app, { health, ready: () => false, metrics });
    app.all('/*', () => {
      throw new LullError('not_ready', step());
    });
  });
}

/** What others are told: what was set, or where it listens. */
function advertisedUrl({ advertisedUrl: given, host }: Config, port: number): string {
  if (given !== null) return given.replace(/\/+$/, '');
  const name = ['0.0.0.0', '::'].includes(host) ? hostname() : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function startServices(parts: Parts): Promise<RunningService[]> {
  const { services } = parts;
  const running: RunningService[] = [watchParts(parts)];
  if (services.has('session-analytics')) running.push(await startAnalytics(parts));
  if (services.has('session-processor')) running.push(await startProcessor(parts));
  if (services.has('event-producer')) running.push(startProducer(parts));
  return running;
}

/** One port for all services of the process. */
function serve(parts: Parts, services: readonly RunningService[]): Promise<HttpServer> {
  const { config, metrics, logger, clock, history, live, events, sessions, query } = parts;
  const access = accessOf(config, new URL(parts.url).hostname);
  const http = { ...config, access, metrics, logger };
  const { held = null } = services.find((service) => service.held !== undefined) ?? {};
  const { rate = null } = services.find((service) => service.rate !== undefined) ?? {};
  const operations = {
    metrics,
    health: () => healthOf(services.flatMap((service): HealthPart[] => service.health())),
    ready: () => services.every(({ isReady }) => isReady()),
  };
  if (parts.services.has('api-gateway')) {
    return startApiGateway({
      ...http,
      ...operations,
      ...{ clock, events, sessions, live: live!, history: history!, query, held, rate },
      liveTiers: ['process', 'redis'],
      partitions: () => query.status(),
      intake: () => services.map(({ intake }) => intake?.() ?? null).find(Boolean) ?? null,
    });
  }
  return startHttpServer(http, (app) => {
    operationRoutes(app, operations);
    if (held !== null) {
      const { partitionCount } = events;
      stateRoutes(app, { held: held.query, partitions: held.partitions, partitionCount });
    }
    if (parts.services.has('session-analytics')) historyRoutes(app, { history: history!, clock });
    if (rate !== null) rateRoutes(app, rate);
  });
}
