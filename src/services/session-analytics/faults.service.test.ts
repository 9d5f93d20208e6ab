/** session-analytics killed, suspended and doubled while it writes: what PostgreSQL has then. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sentRecords, topicOf } from '../../../test/support/analytics-process.ts';
import { MemoryHistory } from '../../../test/support/memory-history.ts';
import {
  type PostgresServer,
  startPostgres,
  unlessPostgres,
} from '../../../test/support/postgres-server.ts';
import { seededRandom } from '../../../test/support/seeded-random.ts';
import type { SentRecord } from '../../core/output.ts';
import type { History } from '../../history/history.ts';
import { openPostgresHistory } from '../../history/postgres.ts';
import { systemClock } from '../../ops/clock.ts';

const PROGRAM = fileURLToPath(
  new URL('../../../test/support/analytics-process.ts', import.meta.url),
);

describe('session-analytics under faults', { skip: unlessPostgres() }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.dispose());

  const run = (database: string, seed: number) =>
    spawn(process.execPath, [PROGRAM, server.url(database), `${seed}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  const ended = async (child: ChildProcess) => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  };

  /** All rows, where absorbed ids lead, and what the rollup sums up. */
  async function contentOf(history: History, records: readonly SentRecord[]): Promise<unknown> {
    const users = [...new Set(records.map(({ userId }) => userId))];
    const ids = [...new Set(records.map(({ sessionId }) => sessionId))];
    return {
      rows: await Promise.all(users.map((userId) => history.ofUser(userId, 999, null))),
      survivors: await Promise.all(ids.map((id) => history.survivorOf(id))),
      stats: await history.stats(0, Number.POSITIVE_INFINITY),
    };
  }

  /** Every record once, whatever was done in between. */
  async function isWhole(database: string, seed: number): Promise<void> {
    const history = await openPostgresHistory({ url: server.url(database), clock: systemClock });
    const records = sentRecords(seed);
    const model = new MemoryHistory();
    await model.apply(records, []);
    assert.deepEqual(await contentOf(history, records), await contentOf(model, records));
    assert.equal(await history.wrongBuckets(), 0);
    const topic = await topicOf(seed);
    const stored = await history.positions();
    assert.equal(stored.length, topic.partitionCount);
    for (const { logId, partition, nextOffset } of stored) {
      assert.deepEqual([logId, nextOffset], [topic.logId, topic.endOffset(partition)]);
    }
    await history.close();
  }

  test('killed at any moment, alone or beside another, and the server too', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    let kills = 0;
    for (let round = 0; round < 4; round++) {
      const children = [run('killed', seed), ...(round % 2 === 0 ? [] : [run('killed', seed)])];
      for (const child of children) {
        // It may have done all of it by then.
        await Promise.race([once(child.stdout!, 'data'), ended(child)]);
        await sleep(random() * 300);
        if (child.kill('SIGKILL')) kills++;
      }
      if (round !== 2) continue;
      await server.kill();
      await server.start();
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= 2);
    assert.equal(await ended(run('killed', seed)), 0);
    await isWhole('killed', seed);
  });

  test('suspended in the middle, overtaken by another, and woken', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const zombie = run('woken', seed);
    await once(zombie.stdout!, 'data');
    await sleep(seededRandom(seed)() * 400);
    zombie.kill('SIGSTOP');
    assert.equal(await ended(run('woken', seed)), 0, 'the other one gets all of it done');
    await isWhole('woken', seed);
    zombie.kill('SIGCONT');
    assert.equal(await ended(zombie), 0);
    await isWhole('woken', seed);
  });

  test('a server that is restarted meanwhile is waited for', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const child = run('restarted', seed);
    const end = ended(child);
    await once(child.stdout!, 'data');
    for (let round = 0; round < 4; round++) {
      await sleep(random() * 300);
      await (round % 2 === 0 ? server.kill() : server.stop());
      await sleep(random() * 200);
      await server.start();
    }
    assert.equal(await end, 0);
    await isWhole('restarted', seed);
  });
});
