/** What a port answers that serves history and no gateway, as that of session-analytics. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closed, TIME_0_MS } from '../../test/support/history-records.ts';
import { MemoryHistory } from '../../test/support/memory-history.ts';
import { systemClock } from '../ops/clock.ts';
import { healthOf } from '../ops/health.ts';
import { createLogger } from '../ops/logger.ts';
import { createMetrics } from '../ops/metrics.ts';
import { historyRoutes } from './history-routes.ts';
import { operationRoutes } from './operation-routes.ts';
import { type HttpServer, startHttpServer } from './server.ts';

let server: HttpServer;
let isReady = false;
const history = new MemoryHistory();

before(async () => {
  const sold = closed('s2', 1, { hasConversion: true, durationSeconds: 10 });
  await history.apply([closed('s1', 1), sold, closed('s3', 1, { userId: 'other' })], []);
  const http = {
    ...{ host: '127.0.0.1', port: 0, metrics: createMetrics() },
    access: { token: 'secret', corsOrigins: [], allowedHosts: null },
    logger: createLogger('warn', { write: () => {} }),
  };
  server = await startHttpServer(http, (app) => {
    operationRoutes(app, {
      metrics: http.metrics,
      health: () => healthOf([{ name: 'history', status: 'down', reason: 'no PostgreSQL' }]),
      ready: () => isReady,
    });
    historyRoutes(app, { history, clock: { ...systemClock, nowMs: () => TIME_0_MS + 1000 } });
  });
});
after(() => server.close());

async function ask(path: string, headers = { authorization: 'Bearer secret' }) {
  const response = await fetch(`${server.url}${path}`, { headers });
  return { status: response.status, text: await response.text() };
}

const idsOf = (text: string) =>
  (JSON.parse(text) as { items: { sessionId: string }[] }).items.map(({ sessionId }) => sessionId);

test('health, ready and metrics need no token', async () => {
  const open = { authorization: '' };
  const health = await ask('/health', open);
  assert.equal(health.status, 200);
  assert.deepEqual(JSON.parse(health.text), {
    status: 'degraded',
    parts: [{ name: 'history', status: 'down', reason: 'no PostgreSQL' }],
  });
  assert.equal((await ask('/ready', open)).status, 503);
  isReady = true;
  assert.equal((await ask('/ready', open)).status, 200);
  assert.match((await ask('/metrics', open)).text, /^lull_http_requests_total/m);
  assert.equal((await ask('/api/sessions/converted', open)).status, 401);
});

test('history is answered as the gateway does', async () => {
  assert.deepEqual(idsOf((await ask('/api/sessions/history/user')).text), ['s2', 's1']);
  assert.deepEqual(idsOf((await ask('/api/sessions/converted?size=10')).text), ['s2']);
  assert.deepEqual(JSON.parse((await ask('/api/analytics/stats?hours=24')).text), {
    totalSessions: 3,
    averageDuration: 10 / 3,
    averageEventCount: 1,
    conversionCount: 1,
    conversionRate: 1 / 3,
  });
  const wrong = await ask('/api/analytics/stats?hours=0');
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /"code":"invalid_parameter"/);
  assert.equal((await ask('/api/sessions/active/user')).status, 404);
});
