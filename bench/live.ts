/** How fast live sessions are published, read and listed, in records as the processor writes. */
import { DEFAULT_DEFINITION } from '../src/core/definition.ts';
import type { LiveFilter } from '../src/live/live.ts';
import { openProcessLive } from '../src/live/process-live.ts';
import { systemClock } from '../src/ops/clock.ts';
import { decodeLive } from '../src/services/session-processor/state-reader.ts';
import { EVENTS_A_SESSION, liveUsers } from './live-users.ts';

const USERS = 50_000;
const START_MS = Date.UTC(2026, 10, 23, 10);

const identity = { logId: 'bench', partition: 0 };
const updates = liveUsers(identity.logId, USERS, START_MS);

const live = openProcessLive({
  clock: systemClock,
  ttlMs: 3_600_000,
  maxUsers: 1_000_000,
  decode: (userId, bytes) => decodeLive(DEFAULT_DEFINITION, identity, userId, bytes),
});
let position = 0;

async function timed(label: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  for (let index = 0; index < count; index++) await run();
  console.log(`${label}: ${((performance.now() - started) / count).toFixed(3)} ms`);
}

const list = (filter: LiveFilter) => () => live.list(filter, 50, null);
const bytes = updates.reduce((sum, { session }) => sum + session.length, 0) / USERS;
console.log(
  `${USERS} sessions of ${EVENTS_A_SESSION} events, records of ${Math.round(bytes)} bytes`,
);
await timed('publish all', 5, () => live.publish(0, ++position, updates));
await timed('get one', 10_000, () => live.get(`user-${position++ % USERS}`));
await timed('list, first after all were published', 1, list({}));
await timed('list', 50, list({}));
await timed('list with a filter', 50, list({ hasCart: true, device: 'mobile', minEvents: 12 }));
await timed('list in which nothing matches', 50, list({ hasConversion: true }));
position = 1e9;
await timed('publish 500, then list', 20, async () => {
  await live.publish(0, ++position, updates.slice(0, 500));
  await live.list({}, 50, null);
});
