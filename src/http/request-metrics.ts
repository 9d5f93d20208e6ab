/** Requests, counted and timed by route and by what they were answered from. */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../ops/metrics.ts';

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5];

/** Routes that are answered from history alone, and don't say so. */
const OF_HISTORY = /^\/api\/(sessions\/(history|converted)|sessions\/.*\/absorbed|users|analytics)/;

declare module 'fastify' {
  interface FastifyRequest {
    /** What it was answered with: an object that may say where it came from. */
    answer: unknown;
  }
}

/** Requests and their latency by route; a path that is no route counts as `none`. */
export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.counter('lull_http_requests_total', 'HTTP requests answered.', [
    'route',
    'method',
    'status',
  ]);
  const latency = metrics.histogram(
    'lull_http_request_duration_seconds',
    'Time from request to the end of its answer; streams are not timed.',
    LATENCY_BUCKETS,
    ['route', 'source'],
  );
  app.decorateRequest('answer', null);
  app.addHook('preSerialization', (request, _reply, payload, done) => {
    request.answer = payload;
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ route, method: request.method, status: String(reply.statusCode) });
    if (!route.includes('stream')) {
      const source = reply.statusCode < 300 ? sourceOf(route, request.answer) : 'none';
      latency.observe({ route, source }, reply.elapsedTime / 1000);
    }
    done();
  });
}

/** Which tier an answer about sessions came from; `none` for any other answer. */
function sourceOf(route: string, answer: unknown): string {
  if (OF_HISTORY.test(route)) return 'history';
  const { source, items } = Object(answer) as { source?: unknown; items?: readonly unknown[] };
  const said = source ?? Object(items?.[0]).source;
  return typeof said === 'string' ? said : 'none';
}
