/** History on PGlite: the contract, and what a folder, a crash and a power loss may do to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyContract } from './history.contract.ts';
import { openEmbeddedSql } from './pglite.ts';
import { openSqlHistory } from './sql-history.ts';

const TABLES = ['user_sessions', 'session_lineage', 'session_buckets', 'history_positions'];

historyContract('PGlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lull-history-'));
  const directory = join(folder, 'history');
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
    async dispose() {
      await opened.close();
      await rm(folder, { recursive: true });
    },
  };
});
