/** Samples are read from Prometheus' text, whatever their labels hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { samplesOf, sumBy } from './prometheus.ts';

const TEXT = `# HELP events Events, {by} type.
# TYPE events counter
events{type="A",fate="late",reason="a \\"b\\" \\\\ {c}"} 3
events{type="B",fate="late",reason=""} 2 1700000000
events{type="A",fate="opened",reason=""} 10
events{type="A",fate="never",reason=""} 0
other 1.5e3
`;

test('labels, escapes, values and comments', () => {
  const samples = samplesOf(TEXT);
  assert.equal(samples.length, 5);
  assert.equal(samples[0]!.labels['reason'], 'a "b" \\ {c}');
  assert.deepEqual(samples[4], { name: 'other', labels: {}, value: 1500 });
});

test('a counter is summed by a label, the largest first', () => {
  assert.deepEqual(sumBy(samplesOf(TEXT), 'events', 'fate'), [
    ['opened', 10],
    ['late', 5],
  ]);
  assert.deepEqual(sumBy([], 'events', 'fate'), []);
});
