/** Hits and misses by tier, and the latency of answers by where they came from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSession, openGateway } from '../../../test/support/open-gateway.ts';
import { createMetrics } from '../../ops/metrics.ts';
import { lookupMetrics } from './lookup-metrics.ts';

test('a hit in Redis is a miss in the process; nothing in either a miss in both', async () => {
  const metrics = createMetrics();
  const lookups = lookupMetrics(metrics, ['process', 'redis']);
  lookups.live('process');
  lookups.live('redis');
  lookups.live(null);
  lookups.other('state', true);
  const text = await metrics.text();
  for (const [tier, result, count] of [
    ['process', 'hit', 1],
    ['process', 'miss', 2],
    ['redis', 'hit', 1],
    ['redis', 'miss', 1],
    ['state', 'hit', 1],
    ['standby', 'hit', 0],
  ]) {
    assert.ok(text.includes(`lookups_total{tier="${tier}",result="${result}"} ${count}\n`), text);
  }
});

test('answers are timed by the tier that they came from', async (t) => {
  const gateway = await openGateway();
  t.after(() => gateway.close());
  await gateway.publish('user-1', makeSession());
  const sessions = `${gateway.url}/api/sessions`;
  for (const path of ['active/user-1', 'active/user-2', 'active?limit=1', 'history/user-1']) {
    await (await fetch(`${sessions}/${path}`)).text();
  }
  const text = await gateway.metrics.text();
  const count = (route: string, source: string) =>
    `lull_http_request_duration_seconds_count{route="${route}",source="${source}"} 1\n`;
  assert.ok(text.includes(count('/api/sessions/active/:userId', 'process')), text);
  assert.ok(text.includes(count('/api/sessions/active/:userId', 'none')), text);
  assert.ok(text.includes(count('/api/sessions/active', 'process')), text);
  assert.ok(text.includes(count('/api/sessions/history/:userId', 'history')), text);
  assert.ok(text.includes('lull_session_lookups_total{tier="process",result="hit"} 1\n'), text);
  assert.ok(text.includes('lull_session_lookups_total{tier="process",result="miss"} 1\n'), text);
});
