/** What a running system serves: documented, well named, and what every panel asks for is there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { familiesOf, unanswered } from '../support/metric-families.ts';
import { promtool, startPrometheus, unlessPrometheus } from '../support/prometheus.ts';
import {
  eventually,
  makeFolder,
  type RunningSystem,
  startSystem,
  untilReady,
} from '../support/running-system.ts';

const folder = makeFolder('metrics');
let system: RunningSystem;

before(async () => {
  // Sessions that close while one looks on: shoppers pause for longer than the gap.
  const definition = ['--gap', '2s', '--tiers', '1s,2s', '--idle', '1s'];
  const load = ['--backfill', '0s', '--rate', '50'];
  system = await startSystem('--data', folder.path, ...definition, ...load);
  await untilReady(system.url);
});
after(async () => {
  await system?.end('SIGTERM');
  folder.remove();
});

const scrape = async () => (await fetch(`${system.url}/metrics`)).text();

test('docs/metrics.md has each metric that is served, with its type, labels and meaning', async () => {
  const text = await eventually(scrape, (served) => /lull_sessions_sent_total\{/.test(served));
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(
    /^\| `(\w+)` \| (\w+) \| ([`\w, ]*) \| (.+) \|$/gm,
  );
  const documented = new Map(
    [...rows].map(([, name, type, labels, help]) => {
      return [
        name!,
        { type, labels: [...labels!.matchAll(/\w+/g)].map(([label]) => label), help },
      ] as const;
    }),
  );
  const served = familiesOf(text);
  assert.deepEqual([...documented.keys()].toSorted(), [...served.keys()].toSorted());
  for (const [name, { type, labels, help }] of served) {
    const row = documented.get(name)!;
    assert.deepEqual([row.type, row.help], [type, help], name);
    for (const label of labels) assert.ok(row.labels.includes(label), `${name}: ${label}`);
  }
});

test('promtool finds nothing wrong with names, units and help', {
  skip: unlessPrometheus(),
}, async () => {
  const { ok, said } = promtool(['check', 'metrics'], await scrape());
  assert.ok(ok, said);
});

test('nothing is not a number, however soon one asks again', async () => {
  for (let asked = 0; asked < 5; asked++) assert.doesNotMatch(await scrape(), / NaN$/m);
});

test('what users send adds no series', async () => {
  const count = async () => (await scrape()).split('\n').length;
  const post = (name: string) => {
    const event = {
      userId: name,
      eventType: name,
      timestamp: Date.now(),
      device: name,
      page: name,
    };
    return fetch(`${system.url}/api/events`, { method: 'POST', body: JSON.stringify(event) });
  };
  const visit = (name: string) => fetch(`${system.url}/${name}/${name}`);
  for (let user = 0; user < 3; user++)
    await Promise.all([post(`warm-${user}`), visit(`w-${user}`)]);
  await sleep(1000);
  const earlier = await count();
  for (let user = 0; user < 200; user++)
    await Promise.all([post(`user-${user}`), visit(`v-${user}`)]);
  await sleep(1000);
  // Other series may come to be meanwhile: 200 do not.
  assert.ok((await count()) < earlier + 100);
});

test('each query of each panel has data', { skip: unlessPrometheus() }, async (t) => {
  const prometheus = await startPrometheus({ lull: [system.url] });
  t.after(() => prometheus.stop());
  // A copy stands by for another processor, of which there is none here.
  const isElsewhere = (expression: string) => expression.includes('lull_standby_lag_records');
  const missing = await unanswered(prometheus, isElsewhere, async (turn) => {
    for (const path of [
      'active/user-1',
      `active/user-${turn}`,
      'converted',
      `history/user-${turn}`,
    ]) {
      await fetch(`${system.url}/api/sessions/${path}`);
    }
    await fetch(`${system.url}/api/events`, { method: 'POST', body: turn % 2 ? '{}' : EVENT });
  });
  assert.deepEqual(missing, []);
  assert.deepEqual(await prometheus.query('lull_standby_lag_records'), [], 'nothing is noticed');
});

const EVENT = JSON.stringify({ userId: 'one', eventType: 'CLICK', timestamp: Date.now() });
