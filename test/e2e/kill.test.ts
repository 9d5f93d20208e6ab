/** Real SIGKILLs while events arrive: every acknowledged event is in exactly one session. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SessionRecord } from '../../src/core/output.ts';
import { losePower, recordSyncs, selfSyncedByRocksdb } from '../support/power-loss.ts';
import {
  eventually,
  get,
  makeFolder,
  post,
  type RunningSystem,
  startSystemWith,
  untilReady,
} from '../support/running-system.ts';
import { seededRandom } from '../support/seeded-random.ts';

const KILLS = 4;
const USERS = 40;
/** Short, so that sessions close, merge and settle while the test runs. */
const DEFINITION = ['--gap', '2s', '--grace', '1s', '--tiers', '1s,60s', '--idle', '1s'];

interface Sent {
  readonly eventId: string;
  readonly userId: string;
  readonly timestamp: number;
}

const bound = { timeout: 300_000 };

test('acknowledged events survive kills at random moments', bound, (t) => survive(t, null));

test('and losses of power, which take what was not synced', bound, async (t) => {
  const journal = makeFolder('syncs');
  try {
    await survive(t, join(journal.path, 'syncs'));
  } finally {
    journal.remove();
  }
});

/** journal: where syncs are written down, to cut the folder back to after a kill; null: no cut. */
async function survive(t: TestContext, journal: string | null): Promise<void> {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const folder = makeFolder('kill');
  const flags = ['--no-simulate', '--data', folder.path, '--retain-sessions', '1d', ...DEFINITION];
  const node = journal === null ? [] : recordSyncs(journal);
  const acknowledged = new Map<string, Sent>();
  const uncertain = new Map<string, Sent>();
  let system: RunningSystem | null = null;
  try {
    for (let kill = 0; kill <= KILLS; kill++) {
      system = await startSystemWith(node, ...flags);
      await untilReady(system.url);
      const sending = send(system.url, kill, random, acknowledged, uncertain);
      if (kill === KILLS) await sending;
      else {
        await eventually(
          async () => acknowledged.size,
          (size) => size >= (kill + 1) * 600 + random() * 400,
        );
        await system.end('SIGKILL');
        await sending;
        if (journal !== null) await cutPower(folder.path, journal, random);
      }
    }
    const { url } = system!;
    // A session that has just closed is on its way to history for a moment.
    const sessions = await eventually(
      () => allSessions(url),
      (found) =>
        found.every(({ state }) => state !== 'active') &&
        found.reduce((sum, { eventCount }) => sum + eventCount, 0) >= acknowledged.size,
    );
    check(sessions, acknowledged, uncertain);
    assert.deepEqual(await system!.end('SIGTERM'), [0, null]);
  } finally {
    await system?.end('SIGKILL');
    folder.remove();
  }
}

/** Log and state lose what was not synced; PostgreSQL's own files have a test of their own. */
async function cutPower(folder: string, journal: string, random: () => number): Promise<void> {
  const history = join(folder, 'history');
  const state = join(folder, 'state');
  await losePower(folder, journal, {
    selfSynced: (path) =>
      path.startsWith(history) || (path.startsWith(state) && selfSyncedByRocksdb(path)),
    kept: (unsyncedBytes) => Math.floor(random() * (unsyncedBytes + 1)),
  });
}

/** Posts batches until the system is gone, or until enough were acknowledged in the last round. */
async function send(
  url: string,
  round: number,
  random: () => number,
  acknowledged: Map<string, Sent>,
  uncertain: Map<string, Sent>,
): Promise<void> {
  for (let batch = 0; batch < 200; batch++) {
    const events = Array.from({ length: 20 }, (_, index) => ({
      eventId: `${round}-${batch}-${index}`,
      userId: `user-${Math.floor(random() * USERS)}`,
      eventType: 'PAGE_VIEW',
      timestamp: Date.now() - Math.floor(random() * 1500),
    }));
    try {
      const { status, body } = await post(url, events);
      assert.equal(status, 202);
      assert.equal(body.accepted, events.length);
      for (const event of events) acknowledged.set(event.eventId, event);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      for (const event of events) uncertain.set(event.eventId, event);
      return;
    }
  }
}

async function allSessions(url: string): Promise<SessionRecord[]> {
  const sessions: SessionRecord[] = [];
  for (let user = 0; user < USERS; user++) {
    const userId = `user-${user}`;
    const active = await get<SessionRecord>(`${url}/api/sessions/active/${userId}`);
    if (active.status === 200) sessions.push(active.body);
    const { body } = await get<{ items: SessionRecord[] }>(
      `${url}/api/sessions/history/${userId}?limit=1000`,
    );
    sessions.push(...body.items);
  }
  return sessions;
}

/** Events lie in exactly one session, none lost; one cut off by a kill may count or not. */
function check(
  sessions: readonly SessionRecord[],
  acknowledged: ReadonlyMap<string, Sent>,
  uncertain: ReadonlyMap<string, Sent>,
): void {
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, sessions.length);
  const within = (sent: Iterable<Sent>) => {
    const counts = new Map<string, number>();
    for (const { userId, timestamp } of sent) {
      const home = sessions.filter(
        (session) =>
          session.userId === userId &&
          Date.parse(session.startTime) <= timestamp &&
          timestamp <= Date.parse(session.endTime),
      );
      if (home.length === 0) continue;
      assert.equal(home.length, 1);
      const { sessionId } = home[0]!;
      counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
    }
    return counts;
  };
  const sure = within(acknowledged.values());
  const unsure = within(uncertain.values());
  assert.equal(
    [...sure.values()].reduce((sum, count) => sum + count, 0),
    acknowledged.size,
    'no acknowledged event is outside of every session',
  );
  for (const { sessionId, eventCount } of sessions) {
    const least = sure.get(sessionId) ?? 0;
    assert.ok(eventCount >= least, `${sessionId} has lost events`);
    assert.ok(eventCount <= least + (unsure.get(sessionId) ?? 0), `${sessionId} counted twice`);
  }
}
