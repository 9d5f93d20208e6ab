/** The registry: one metric a name, values read when asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test('asking twice for a counter counts in one', async () => {
  const metrics = createMetrics();
  metrics.counter('events_total', 'Events accepted', ['partition']).inc({ partition: 1 });
  metrics.counter('events_total', 'Events accepted', ['partition']).inc({ partition: 1 }, 2);
  assert.match(await metrics.text(), /^events_total\{partition="1"\} 3$/m);
});

test('a gauge with a reader is read at each scrape', async () => {
  const metrics = createMetrics();
  let records = 1;
  metrics.gauge('lag_records', 'Records not yet read', [], (gauge) => gauge.set(records));
  assert.match(await metrics.text(), /^lag_records 1$/m);
  records = 7;
  assert.match(await metrics.text(), /^lag_records 7$/m);
});

test('a histogram sorts what it sees into its buckets', async () => {
  const metrics = createMetrics();
  metrics.histogram('session_duration_seconds', 'Duration of sessions', [1, 10]).observe(5);
  const text = await metrics.text();
  assert.match(text, /^session_duration_seconds_bucket\{le="1"\} 0$/m);
  assert.match(text, /^session_duration_seconds_bucket\{le="10"\} 1$/m);
});

test('two registries in one process share nothing; both tell of the process', async () => {
  const one = createMetrics();
  one.counter('events_total', 'Events accepted').inc();
  const other = await createMetrics().text();
  assert.ok(!other.includes('events_total'));
  assert.match(other, /^process_resident_memory_bytes \d/m);
  assert.match(one.contentType, /^text\/plain; version=0\.0\.4/);
});

test('CPU time and event loop delay of the process are those of now', async () => {
  const metrics = createMetrics();
  const read = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metrics.text())![1]);
  const beforeSeconds = await read('process_cpu_seconds_total');
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user < user + 50_000);
  assert.ok((await read('process_cpu_seconds_total')) >= beforeSeconds + 0.05);
  // The monitor has to come round to it first.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok((await read('nodejs_eventloop_lag_max_seconds')) > 0);
});

test('what can not be read, or not in time, has no value, and the others have theirs', async () => {
  const metrics = createMetrics();
  let isAway = false;
  const read = async () => {
    if (isAway) throw new Error('away');
    return 7;
  };
  metrics.gauge('plain_records', 'One', [], async (gauge) => gauge.set(await read()));
  metrics.gauge('lag_records', 'By partition', ['partition'], async (gauge) => {
    gauge.set({ partition: 0 }, 1);
    gauge.set({ partition: 1 }, await read());
  });
  metrics.gauge('slow_records', 'Never', [], () => new Promise<void>(() => {}));
  const there = await metrics.text();
  assert.match(there, /^plain_records 7$/m);
  assert.match(there, /^lag_records\{partition="1"\} 7$/m);
  assert.doesNotMatch(there, /^slow_records \d/m);
  isAway = true;
  const away = await metrics.text();
  assert.doesNotMatch(away, /^(plain|lag)_records[ {]/m);
  assert.match(away, /^process_resident_memory_bytes \d/m);
});

test('a gauge is read by whoever asked for it last', async () => {
  const metrics = createMetrics();
  metrics.gauge('ready', 'Ready', [], (gauge) => gauge.set(0));
  metrics.gauge('ready', 'Ready', [], (gauge) => gauge.set(1));
  assert.match(await metrics.text(), /^ready 1$/m);
});

test('totals are counters that others count; queues tell how full they are', async () => {
  const metrics = createMetrics();
  let sent = 3;
  metrics.total('sent_total', 'Sent', () => sent);
  metrics.queue('intake_bytes', 100, () => 10);
  assert.match(await metrics.text(), /^# TYPE sent_total counter\nsent_total 3$/m);
  sent = 5;
  const text = await metrics.text();
  assert.match(text, /^sent_total 5$/m);
  assert.match(text, /^lull_queue_depth\{queue="intake_bytes"\} 10$/m);
  assert.match(text, /^lull_queue_limit\{queue="intake_bytes"\} 100$/m);
});

test('nothing is not a number, however soon one asks again', async () => {
  const metrics = createMetrics();
  metrics.gauge('ratio', 'Of nothing', [], (gauge) => gauge.set(0 / 0));
  for (let asked = 0; asked < 20; asked++) assert.doesNotMatch(await metrics.text(), /NaN/);
});
