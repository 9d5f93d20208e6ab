/** What two processes of the distributed system serve, also while Redis and PostgreSQL are away. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { unanswered } from '../support/metric-families.ts';
import { startPrometheus, unlessPrometheus } from '../support/prometheus.ts';
import {
  eventually,
  makeFolder,
  type RunningSystem,
  startServices,
  untilReady,
} from '../support/running-system.ts';
import {
  type SharedServers,
  startSharedServers,
  unlessSharedServers,
} from '../support/server-trio.ts';

const skip = unlessSharedServers() || unlessPrometheus();
const bound = { timeout: 600_000 };
/** Sessions that close while one looks on: shoppers pause for longer than the gap. */
const QUICK = { LULL_GAP: '2s', LULL_TIERS: '1s,2s', LULL_IDLE: '1s', LULL_PREFIX: 'watch-' };
const LOAD = ['--backfill', '0s', '--rate', '50'];

suite('metrics of the distributed system', { skip, ...bound }, () => {
  const folder = makeFolder('watch');
  let servers: SharedServers;
  let all: RunningSystem;
  let processor: RunningSystem;

  before(async () => {
    servers = await startSharedServers();
    const environment = { ...servers.environment, ...QUICK };
    const data = (name: string) => ['--data', join(folder.path, name)];
    all = await startServices(
      environment,
      ...['api-gateway', 'event-producer', 'session-processor', 'session-analytics'],
      ...[...data('all'), ...LOAD],
    );
    processor = await startServices(environment, 'session-processor', ...data('processor'));
    for (const { url } of [all, processor]) await untilReady(url);
  }, bound);
  after(async () => {
    await Promise.all([all?.end('SIGKILL'), processor?.end('SIGKILL')]);
    await servers?.stop();
    folder.remove();
  });

  const scrape = async ({ url }: RunningSystem) => {
    const answer = await fetch(`${url}/metrics`);
    assert.equal(answer.status, 200);
    const text = await answer.text();
    assert.doesNotMatch(text, / NaN$/m);
    return text;
  };

  test('each query of each panel has data', bound, async (t) => {
    const prometheus = await startPrometheus({
      lull: [all.url],
      'session-processor': [processor.url],
    });
    t.after(() => prometheus.stop());
    const missing = await unanswered(
      prometheus,
      () => false,
      async (turn) => {
        for (const path of [`active/user-${turn}`, 'active/user-1', 'converted']) {
          await fetch(`${all.url}/api/sessions/${path}`);
        }
        await fetch(`${all.url}/api/events`, { method: 'POST', body: '{}' });
      },
    );
    const parts = (await scrape(all)).match(/^lull_(part_ok|history)\w+(\{.*\})? .*$/gm);
    assert.deepEqual(missing, [], parts?.join('\n'));
  });

  test('without Redis and PostgreSQL they say so, and all the rest', bound, async () => {
    const active = /^kafka_streams_state_store_records \d+$/m;
    assert.match(await scrape(all), active);
    await Promise.all([servers.redis.stop(), servers.postgres.stop()]);
    const away = await eventually(
      () => scrape(all),
      (text) =>
        text.includes('lull_part_ok{part="redis"} 0\n') &&
        text.includes('lull_part_ok{part="postgresql"} 0\n'),
    );
    assert.match(away, /^lull_part_ok\{part="kafka"\} 1$/m);
    assert.match(away, /^lull_consumer_lag_records\{partition="\d"\} \d+$/m);
    assert.doesNotMatch(await scrape(all), active);
    assert.doesNotMatch(await scrape(processor), active);
    await Promise.all([servers.redis.start(), servers.postgres.start()]);
    await eventually(
      () => scrape(all),
      (text) =>
        active.test(text) &&
        text.includes('lull_part_ok{part="redis"} 1\n') &&
        text.includes('lull_part_ok{part="postgresql"} 1\n'),
    );
  });
});
