/** Real SIGKILLs while events arrive: every acknowledged event is in exactly one session. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { losePower, recordSyncs, selfSyncedByRocksdb } from '../support/power-loss.ts';
import {
  eventually,
  makeFolder,
  post,
  type RunningSystem,
  startSystemWith,
  untilReady,
} from '../support/running-system.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { checkSessions, type Sent, settledSessions } from './acknowledged.ts';

const KILLS = 4;
const SENDERS = 4;
const USERS = Array.from({ length: 40 }, (_, user) => `user-${user}`);
/** Short, so that sessions close, merge and settle while the test runs. */
const DEFINITION = ['--gap', '2s', '--grace', '1s', '--tiers', '1s,60s', '--idle', '1s'];

const bound = { timeout: 300_000 };

test('acknowledged events survive kills at random moments', bound, (t) => survive(t, null));

test('and orderly ends while events arrive', bound, (t) => survive(t, null, 'SIGTERM'));

test('and losses of power, which take what was not synced', bound, async (t) => {
  const journal = makeFolder('syncs');
  try {
    await survive(t, join(journal.path, 'syncs'));
  } finally {
    journal.remove();
  }
});

/** journal: where syncs are written down, to cut the folder back to after a kill; null: no cut. */
async function survive(
  t: TestContext,
  journal: string | null,
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
): Promise<void> {
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
      const { url } = system;
      const sending = Promise.all(
        Array.from({ length: SENDERS }, (_, sender) =>
          send(url, `${kill}-${sender}`, random, acknowledged, uncertain),
        ),
      );
      if (kill === KILLS) await sending;
      else {
        await eventually(
          async () => acknowledged.size,
          (size) => size >= (kill + 1) * 600 + random() * 400,
        );
        const ended = await system.end(signal);
        if (signal === 'SIGTERM') assert.deepEqual(ended, [0, null], system.output());
        await sending;
        if (journal !== null) await cutPower(folder.path, journal, random);
      }
    }
    const { url } = system!;
    const sessions = await settledSessions(url, USERS, acknowledged);
    checkSessions(sessions, acknowledged, uncertain);
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

/** Posts batches until the system is gone, or until there were enough of them. */
async function send(
  url: string,
  name: string,
  random: () => number,
  acknowledged: Map<string, Sent>,
  uncertain: Map<string, Sent>,
): Promise<void> {
  for (let batch = 0; batch < 200 / SENDERS; batch++) {
    const events = Array.from({ length: 20 }, (_, index) => ({
      eventId: `${name}-${batch}-${index}`,
      userId: USERS[Math.floor(random() * USERS.length)]!,
      eventType: 'PAGE_VIEW',
      timestamp: Date.now() - Math.floor(random() * 1500),
    }));
    try {
      const { status, body } = await post(url, events);
      // What ends in order says so to those that come too late.
      if (status === 503) throw new Error('it is stopping');
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
