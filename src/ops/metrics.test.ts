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
