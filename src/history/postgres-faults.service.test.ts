/** History on PostgreSQL under faults and several writers: the rows and the rollup afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { closed, merged, TIME_0_MS } from '../../test/support/history-records.ts';
import { MemoryHistory } from '../../test/support/memory-history.ts';
import {
  type PostgresServer,
  startPostgres,
  unlessPostgres,
} from '../../test/support/postgres-server.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import type { SentRecord } from '../core/output.ts';
import { systemClock } from '../ops/clock.ts';
import { contentOf } from './history.contract.ts';
import type { History } from './history.ts';
import { openPostgresHistory } from './postgres.ts';

const MAX_REVISION = 6;

/** What a revision of an id says is always the same, whoever sends it. */
function recordOf(id: number, revision: number): SentRecord {
  const random = seededRandom(id * 31 + revision);
  const kind = random();
  if (kind < 0.1) return merged(`s${id}`, `s${id + 1 + Math.floor(random() * 3)}`, revision);
  const endTime = new Date(TIME_0_MS + Math.floor(random() * 2_400_000)).toISOString();
  return closed(`s${id}`, revision, {
    state: kind < 0.2 ? 'active' : kind < 0.6 ? 'closed' : 'amended',
    userId: `user-${id % 7}`,
    endTime,
    startTime: endTime,
    durationSeconds: Math.floor(random() * 10_000) / 1000,
    eventCount: Math.floor(random() * 50),
    hasConversion: random() < 0.3,
    revenue: random() < 0.3 ? { EUR: Math.floor(random() * 1e6) / 1e4 } : {},
    device: random() < 0.5 ? 'mobile' : null,
  });
}

function batchesOf(count: number, size: number, ids: number, random: () => number): SentRecord[][] {
  return Array.from({ length: count }, () =>
    Array.from({ length: Math.ceil(random() * size) }, () =>
      recordOf(Math.floor(random() * ids), 1 + Math.floor(random() * MAX_REVISION)),
    ),
  );
}

const at = (nextOffset: number, partition = 0) => [{ logId: 'log', partition, nextOffset }];

describe('PostgreSQL under faults', { skip: unlessPostgres() }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres({ settings: { deadlock_timeout: '20ms' } });
  });
  after(() => server.dispose());

  const open = (database: string) =>
    openPostgresHistory({ url: server.url(database), clock: systemClock });

  /** Until it has been taken, as session-analytics does. */
  async function insist(history: History, records: SentRecord[], offset: number): Promise<number> {
    for (let failures = 0; ; failures++) {
      try {
        await history.apply(records, at(offset));
        return failures;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'history_unavailable');
        await sleep(20);
      }
    }
  }

  async function holds(history: History, all: readonly SentRecord[][], told: string) {
    const model = new MemoryHistory();
    for (const batch of all) await model.apply(batch, []);
    assert.deepEqual(
      await contentOf(history, all.flat()),
      await contentOf(model, all.flat()),
      told,
    );
    assert.equal(await history.wrongBuckets(), 0, told);
  }

  test('killed while batches are applied', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const history = await open('killed');
    const all = batchesOf(150, 120, 300, random);
    let isDone = false;
    const killing = (async () => {
      let kills = 0;
      for (; !isDone; kills++) {
        await sleep(random() * 200);
        await server.kill();
        await sleep(random() * 50);
        await server.start();
      }
      return kills;
    })();
    let failures = 0;
    for (const [n, batch] of all.entries()) failures += await insist(history, batch, n + 1);
    isDone = true;
    t.diagnostic(`${await killing} kills, ${failures} batches sent again`);
    assert.ok(failures > 0, 'no kill has met a batch');
    await insist(history, [], 0);
    assert.deepEqual(await history.positions(), at(all.length));
    await holds(history, all, `seed ${seed}`);
    await history.close();
  });

  test('writers of the same records at once, one of them left behind', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const writers = await Promise.all([1, 2, 3].map(() => open('writers')));
    const all = batchesOf(120, 40, 60, random);
    await Promise.all(
      writers.map(async (history, number) => {
        for (const [n, batch] of all.entries()) {
          // One stops halfway and goes on when the others are done, from where it was.
          if (number === 2 && n === 60) await sleep(300);
          // As does one that knows of no position.
          await history.apply(batch, number === 1 && n % 5 === 0 ? [] : at(n + 1));
        }
      }),
    );
    assert.deepEqual(await writers[0]!.positions(), at(all.length));
    await holds(writers[0]!, all, `seed ${seed}`);
    await Promise.all(writers.map((history) => history.close()));
  });

  test('writers of different partitions, and expiry, do not disturb each other', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const writers = await Promise.all([0, 1, 2, 3].map(() => open('partitions')));
    // Ids of one writer are never those of another, as a user's sessions have one partition.
    const all = writers.map((_, number) =>
      batchesOf(60, 60, 100, random).map((batch) =>
        batch.map((record) => {
          const own = (id: string) => `${number}-${id}`;
          if (record.state !== 'merged') return { ...record, sessionId: own(record.sessionId) };
          const mergedInto = own(record.mergedInto);
          return { ...record, sessionId: own(record.sessionId), mergedInto };
        }),
      ),
    );
    let isDone = false;
    const expiring = (async () => {
      while (!isDone) await writers[0]!.expire(TIME_0_MS, 100);
    })();
    await Promise.all(
      writers.map(async (history, number) => {
        for (const [n, batch] of all[number]!.entries()) {
          await history.apply(batch, at(n + 1, number));
        }
      }),
    );
    isDone = true;
    await expiring;
    await holds(writers[0]!, all.flat(), `seed ${seed}`);
    await Promise.all(writers.map((history) => history.close()));
  });

  test('transactions that wait for each other in a circle are done again', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const writers = await Promise.all([0, 1].map(() => open('circle')));
    const client = new pg.Client(server.url('circle'));
    await client.connect();
    const deadlocks = async () => {
      const text = `SELECT deadlocks::integer AS n FROM pg_stat_database WHERE datname = 'circle'`;
      return (await client.query(text)).rows[0].n as number;
    };
    const ids = Array.from({ length: 300 }, (_, n) => n);
    let revision = 0;
    for (let round = 0; round < 60 && (await deadlocks()) === 0; round++) {
      await Promise.all(
        writers.map((history, partition) => {
          revision++;
          // One goes up and the other down.
          const order = partition === 0 ? ids : [...ids].reverse();
          const records = order.map((n) => closed(`s${n}`, revision, { searches: revision }));
          return history.apply(records, at(revision, partition));
        }),
      );
      await sleep(random() * 20);
    }
    assert.ok((await deadlocks()) > 0, 'no circle came about');
    for (const n of ids) {
      assert.equal((await writers[0]!.session(`s${n}`))?.searches, revision);
    }
    assert.equal(await writers[0]!.wrongBuckets(), 0);
    await client.end();
    await Promise.all(writers.map((history) => history.close()));
  });
});
