/** History on a real PostgreSQL: the contract, and what faults of the server may do to it. */
import { after, before, describe } from 'node:test';
import pg from 'pg';
import {
  type PostgresServer,
  startPostgres,
  unlessPostgres,
} from '../../test/support/postgres-server.ts';
import { systemClock } from '../ops/clock.ts';
import { type HistoryUnderTest, historyContract } from './history.contract.ts';
import { openPostgresHistory } from './postgres.ts';

const TABLES = [
  'user_sessions',
  'session_lineage',
  'session_buckets',
  'session_revenue',
  'session_facets',
  'history_positions',
];

describe('PostgreSQL', { skip: unlessPostgres() }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.dispose());
  historyContract(
    'PostgreSQL',
    async () => {
      const url = server.url('contract');
      let opened = await openPostgresHistory({ url, clock: systemClock });
      const history = opened;
      const person = new pg.Client(url);
      await person.connect();
      const query = async (text: string) => (await person.query(text)).rows;
      return {
        history,
        query,
        async clear() {
          for (const table of TABLES) await query(`DELETE FROM ${table}`);
        },
        async reopen() {
          await opened.close();
          opened = await openPostgresHistory({ url, clock: systemClock });
          return opened;
        },
        async dispose() {
          await opened.close();
          await person.end();
        },
      } satisfies HistoryUnderTest;
    },
    true,
  );
});
