/** Requests, counted and timed by route. */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../ops/metrics.ts';

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5];

/** Requests and their latency by route; a path that is no route counts as `none`. */
export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.counter('lull_http_requests_total', 'HTTP requests answered', [
    'route',
    'method',
    'status',
  ]);
  const latency = metrics.histogram(
    'lull_http_request_duration_seconds',
    'Time from request to the end of its answer; streams are not timed',
    LATENCY_BUCKETS,
    ['route'],
  );
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ route, method: request.method, status: String(reply.statusCode) });
    if (!route.includes('stream')) latency.observe({ route }, reply.elapsedTime / 1000);
    done();
  });
}
