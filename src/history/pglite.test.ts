/** History on PGlite: the contract, and what a crash and a power loss may do to it. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { batches, closed, session } from '../../test/support/history-records.ts';
import { MemoryHistory } from '../../test/support/memory-history.ts';

import { seededRandom } from '../../test/support/seeded-random.ts';
import { SyncedCopy } from '../../test/support/synced-copy.ts';
import type { SentRecord } from '../core/output.ts';
import { contentOf, type HistoryUnderTest, historyContract } from './history.contract.ts';
import { openEmbeddedHistory, openEmbeddedSql } from './pglite.ts';
import { openDatabase } from './pglite-database.ts';
import type { Querying, Row, Sql } from './sql.ts';
import { openSqlHistory } from './sql-history.ts';

const TABLES = [
  'user_sessions',
  'session_lineage',
  'session_buckets',
  'session_revenue',
  'session_facets',
  'history_positions',
];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lull-history-'));
  await (await openEmbeddedHistory({ directory: join(folder, 'new') })).close();
});
after(() => rm(folder, { recursive: true }));

/** A new history's folder: copied, since creating takes seconds. */
async function newDirectory(name: string): Promise<string> {
  const directory = join(folder, name);
  await cp(join(folder, 'new'), directory, { recursive: true });
  return directory;
}

const make = async (): Promise<HistoryUnderTest> => {
  const directory = await newDirectory('contract');
  let sql = await openEmbeddedSql(directory);
  const history = await openSqlHistory(sql);
  let opened = history;
  return {
    history,
    query: (text) => sql.query(text, []),
    async clear() {
      for (const table of TABLES) await sql.query(`DELETE FROM ${table}`);
    },
    async reopen() {
      await opened.close();
      sql = await openEmbeddedSql(directory);
      opened = await openSqlHistory(sql);
      return opened;
    },
    dispose: () => opened.close(),
  };
};

historyContract('PGlite', make, true);

test('a creation that was cut off is begun again', async () => {
  const directory = join(folder, 'cut-off');
  await mkdir(`${directory}.new/base`, { recursive: true });
  await writeFile(`${directory}.new/PG_VERSION`, '18\n');
  const history = await openEmbeddedHistory({ directory });
  assert.deepEqual(await history.positions(), []);
  await history.close();
  await history.close();
  await assert.rejects(history.positions(), { code: 'history_unavailable' });
});

test('a folder that is no database is refused with the reason', async () => {
  const directory = join(folder, 'broken');
  await mkdir(directory);
  await writeFile(join(directory, 'PG_VERSION'), '18\n');
  await assert.rejects(openEmbeddedHistory({ directory }), (error: Error) => {
    assert.match(error.message, /broken can't be opened: .*postgresql\.conf/);
    return true;
  });
});

test('PostgreSQL gives up, is started again, and has lost nothing', async (t) => {
  const directory = await newDirectory('crash');
  const history = await openEmbeddedHistory({ directory });
  t.after(() => history.close());
  const position = (nextOffset: number) => [{ logId: 'log', partition: 0, nextOffset }];
  await history.apply([closed('before', 1)], position(1));
  await rename(join(directory, 'pg_wal'), join(directory, 'away'));
  const large = Array.from({ length: 1000 }, (_, n) => closed(`s${n}`, 1));
  const failing = async () => {
    for (let n = 2; ; n++) {
      await history.apply(
        large.map((record) => ({ ...record, revision: n })),
        position(n),
      );
    }
  };
  await assert.rejects(failing(), { code: 'history_unavailable', message: /PANIC/ });
  await assert.rejects(history.positions(), { code: 'history_unavailable' }, 'still away');
  await rename(join(directory, 'away'), join(directory, 'pg_wal'));
  const nextOffset = (await history.positions())[0]?.nextOffset;
  assert.ok(await history.session('before'));
  const last = await history.session('s0');
  assert.equal(last?.revision ?? 1, nextOffset, 'a batch is there with its position or not at all');
  assert.equal(await history.wrongBuckets(), 0);
});

test('what apply has resolved for survives a power loss, whole', async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const directory = await newDirectory('power');
  const disk = new SyncedCopy(directory, join(folder, 'synced'));
  const images: { directory: string; applied: number; started: number }[] = [];
  let applied = 0;
  let started = 0;
  const lose = () => {
    const image = join(folder, `image-${images.length}`);
    disk.image(image, random);
    images.push({ directory: image, applied, started });
  };
  const database = await openDatabase({
    directory,
    sync: (_, path) => {
      // The moment before a sync is done and the moment after it.
      if (random() < 0.02) lose();
      disk.sync(path);
      if (random() < 0.02) lose();
    },
  });
  const query: Querying['query'] = async (text, params) =>
    (await database.query<Row>(text, [...(params ?? [])])).rows;
  const sql: Sql = {
    query,
    transaction: async (work) => {
      await database.exec('BEGIN');
      const result = await work({ query });
      await database.exec('COMMIT');
      return result;
    },
    sizeBytes: async () => 0,
    close: () => database.close(),
  };
  const history = await openSqlHistory(sql);
  const all: SentRecord[][] = fc
    .sample(batches(), { seed, numRuns: 8 })
    .flat()
    .map((batch, n) => [...batch, ...fc.sample(session(), { seed: seed + n, numRuns: 5 })]);
  for (const batch of all) {
    started++;
    await history.apply(batch, [{ logId: 'log', partition: 0, nextOffset: started }]);
    applied = started;
    if (random() < 0.1) lose();
    if (random() < 0.1) await sql.query('CHECKPOINT');
  }
  await history.close();
  assert.ok(images.length >= 3, `${images.length} power losses`);
  for (const image of images.slice(-4)) {
    const found = await openEmbeddedHistory({ directory: image.directory });
    t.after(() => found.close());
    const told = `seed ${seed}, ${JSON.stringify(image)}`;
    const reached = (await found.positions())[0]?.nextOffset ?? 0;
    assert.ok(reached >= image.applied && reached <= image.started, `${reached}: ${told}`);
    const model = new MemoryHistory();
    for (const batch of all.slice(0, reached)) await model.apply(batch, []);
    assert.deepEqual(await contentOf(found, all.flat()), await contentOf(model, all.flat()), told);
    assert.equal(await found.wrongBuckets(), 0, told);
  }
});

test('rows that are replaced, and the log of it, give their place back', async (t) => {
  const directory = await newDirectory('upkeep');
  const sql = await openEmbeddedSql(directory);
  const history = await openSqlHistory(sql);
  t.after(() => history.close());
  const sizes: number[] = [];
  for (let revision = 1; revision <= 96; revision++) {
    const page = '/'.padEnd(500, 'x');
    const parts = { entryPage: page, exitPage: page, referrer: page };
    await history.apply(
      Array.from({ length: 500 }, (_, n) => closed(`s${n}`, revision, parts)),
      [],
    );
    if (revision % 48 !== 0) continue;
    const [row] = await sql.query(
      `SELECT pg_total_relation_size('user_sessions')::float8 AS b`,
      [],
    );
    sizes.push(Number(row!['b']));
  }
  assert.ok(sizes[1]! < 1.5 * sizes[0]!, `${sizes}`);
  const segments = await readdir(join(directory, 'pg_wal'));
  assert.ok(segments.length <= 22, `${segments.length} segments of 4 MB`);
});
