/** Lulls, what the trail leaves out, and round ticks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../api-types.ts';
import { pausesOf, ticksOf } from './segments.ts';

function sessionOf(seconds: readonly number[], parts: Partial<Session> = {}): Session {
  const trail = seconds.map((at) => {
    return { type: 'PAGE_VIEW', page: '/', time: new Date(at * 1000).toISOString() };
  });
  return { trail, trailTruncated: false, eventCount: trail.length, ...parts } as Session;
}

test('a lull is a minute or more', () => {
  const pauses = pausesOf(sessionOf([0, 59, 119, 180, 180]));
  assert.deepEqual(
    pauses.map(({ kind, after }) => [kind, after]),
    [
      ['lull', 1],
      ['lull', 2],
    ],
  );
  assert.deepEqual(pausesOf(sessionOf([])), []);
  assert.deepEqual(pausesOf(sessionOf([5])), []);
});

test('what the trail leaves out lies in its middle, however short', () => {
  const session = sessionOf([0, 1, 2, 3], { trailTruncated: true, eventCount: 30 });
  assert.deepEqual(
    pausesOf(session).map(({ kind, after, events }) => [kind, after, events]),
    [['hidden', 1, 26]],
  );
});

test('ticks are round, begin at nothing, and are never too many', () => {
  for (const span of [0.05, 1, 7, 61, 420, 1866, 7300, 86_400, 900_000]) {
    const ticks = ticksOf(span, 8);
    assert.equal(ticks[0], 0);
    assert.ok(ticks.length <= 8 || span > 600_000, `${ticks.length} ticks for ${span} s`);
    assert.ok(ticks.at(-1)! <= span);
  }
});
