/** Embedded and on Kafka, Redis and PostgreSQL: the same events come to the same sessions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unlessSharedServers } from '../support/server-trio.ts';
import { compareModes } from './both-modes.ts';

test('both modes make the same sessions of the same events', {
  skip: unlessSharedServers(),
  timeout: 600_000,
}, async (t) => {
  const seed = Date.now() % 1_000_000;
  const findings = await compareModes({
    ...{ seed, events: 20_000 },
    tell: (line) => t.diagnostic(line),
  });
  t.diagnostic(JSON.stringify(findings));
  // All that the events are made for has come.
  for (const [what, count] of Object.entries(findings)) assert.ok(count > 0, `no ${what}`);
});
