/** History on a real PostgreSQL: the contract, and how it is opened, waited for and refused. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { closed } from '../../test/support/history-records.ts';
import {
  type PostgresServer,
  startPostgres,
  unlessPostgres,
} from '../../test/support/postgres-server.ts';
import { systemClock } from '../ops/clock.ts';
import { createLogger } from '../ops/logger.ts';
import { historyContract } from './history.contract.ts';
import { openPostgresHistory } from './postgres.ts';
import { statement } from './sql.ts';

const TABLES = [
  ...['user_sessions', 'session_lineage', 'session_buckets', 'session_revenue', 'session_facets'],
  'history_positions',
];
const PASSWORD = 'not to be told';

describe('PostgreSQL', { skip: unlessPostgres() }, () => {
  let server: PostgresServer;
  const clock = systemClock;
  const open = (url: string) => openPostgresHistory({ url, clock });
  const person = async (url: string) => {
    const client = new pg.Client(url);
    // Servers end before those who ask them here.
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  before(async () => {
    server = await startPostgres({ password: PASSWORD, tls: true });
  });
  after(() => server.dispose());

  const make = async () => {
    const url = server.url('contract');
    const history = await open(url);
    let opened = history;
    const client = await person(url);
    return {
      history,
      query: async (text: string) => (await client.query(text)).rows,
      async clear() {
        for (const table of TABLES) await client.query(`DELETE FROM ${table}`);
      },
      async reopen() {
        await opened.close();
        opened = await open(url);
        return opened;
      },
      async dispose() {
        await opened.close();
        await client.end();
      },
    };
  };
  historyContract('PostgreSQL', make, true);

  test('several processes that start at once make the database and its tables once', async () => {
    const url = server.url('together');
    const script = `
      import { openPostgresHistory } from './src/history/postgres.ts';
      import { systemClock } from './src/ops/clock.ts';
      const options = { url: process.argv[1], clock: systemClock };
      const history = await openPostgresHistory(options);
      await history.apply([], [{ logId: 'log', partition: process.pid, nextOffset: 1 }]);
      await history.close();`;
    const parameters = ['--input-type=module-typescript', '-e', script, url];
    const started = Array.from({ length: 4 }, () =>
      spawn(process.execPath, parameters, { stdio: 'inherit' }),
    );
    const codes = await Promise.all(started.map(async (one) => (await once(one, 'exit'))[0]));
    assert.deepEqual(codes, [0, 0, 0, 0]);
    const history = await open(url);
    assert.equal((await history.positions()).length, 4);
    await history.close();
    const client = await person(url);
    const { rows } = await client.query('SELECT name FROM history_migrations ORDER BY number');
    const files = readdirSync(new URL('./sql/migrations/', import.meta.url)).sort();
    assert.deepEqual(
      rows.map(({ name }) => `${name}.sql`),
      files,
    );
    await client.end();
  });

  test('revenue of rows that were there before it was summed is summed', async () => {
    const url = server.url('older');
    await (await open(url)).close();
    const client = await person(url);
    await client.query('DROP TABLE session_revenue; DROP FUNCTION session_micros CASCADE');
    await client.query('DROP FUNCTION session_revenue_changed CASCADE');
    await client.query('DELETE FROM history_migrations WHERE number = 3');
    const columns = Object.entries(statementColumns());
    await client.query(
      `INSERT INTO user_sessions (${columns.map(([name]) => name)})
      SELECT ${columns.map(([, value]) => value)} FROM generate_series(1, 3) AS n`,
    );
    const history = await open(url);
    const { rows } = await client.query('SELECT currency, micros FROM session_revenue');
    assert.deepEqual(rows, [{ currency: 'EUR', micros: '179700000' }]);
    assert.equal(await history.wrongBuckets(), 0);
    await client.query(`UPDATE user_sessions SET revenue = '{"JPY":7}' WHERE session_id = 's1'`);
    assert.equal(await history.wrongBuckets(), 0);
    await client.query('UPDATE session_revenue SET micros = micros + 1');
    assert.equal(await history.wrongBuckets(), 2, 'what is wrong is found');
    await history.close();
    await client.end();
  });

  test('a newer version of the tables is refused', async () => {
    const url = server.url('newer');
    await (await open(url)).close();
    const client = await person(url);
    await client.query(`INSERT INTO history_migrations VALUES (9999, 'later')`);
    await client.end();
    await assert.rejects(open(url), { code: 'data_mismatch' });
  });

  test('TLS: verified, encrypted only, and refused when the certificate is not known', async () => {
    const modes = {
      'sslmode=require': true,
      [`sslmode=verify-full&sslrootcert=${server.certificate}`]: true,
      'sslmode=disable': false,
    };
    for (const [mode, ssl] of Object.entries(modes)) {
      const history = await open(`${server.url('tls')}?${mode}`);
      const client = await person(server.url('tls'));
      const text = `SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'lull'`;
      await history.positions();
      assert.deepEqual((await client.query(text)).rows, [{ ssl }], mode);
      await client.end();
      await history.close();
    }
    await assert.rejects(open(`${server.url('tls')}?sslmode=verify-full`), {
      code: 'history_refused',
      message: /self-signed certificate/,
    });
  });

  test('what will not change by itself is refused in one line, without the password', async (t) => {
    const plain = await startPostgres();
    t.after(() => plain.dispose());
    const client = await person(plain.url('postgres'));
    await client.query('CREATE ROLE reader LOGIN');
    await client.query(`CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'`);
    await client.query(`CREATE DATABASE closed TEMPLATE template0 ENCODING 'UTF8'`);
    await client.end();
    const as = (url: string, user: string, password = '') => {
      return url.replace(/\/\/[^@]*@/, `//${user}:${password}@`);
    };
    const refusals: [url: string, message: RegExp][] = [
      [as(server.url(), 'postgres', 'wrong-secret'), /password authentication failed/],
      [as(server.url(), 'postgres'), /password/],
      [as(plain.url(), 'nobody'), /role "nobody" does not exist/],
      [as(plain.url('missing'), 'reader'), /no database missing, nor may it be made: permission/],
      [as(plain.url('closed'), 'reader'), /permission denied for schema public/],
      [`${plain.url()}?sslmode=require`, /does not support SSL/],
      [plain.url('ascii'), /encoded in SQL_ASCII; UTF8 is needed/],
    ];
    for (const [url, message] of refusals) {
      await assert.rejects(open(url), (error: Error & { code: string }) => {
        assert.equal(error.code, 'history_refused', `${url}: ${error.message}`);
        assert.match(error.message, message);
        assert.ok(!/\n|secret|not to be told/.test(error.message), error.message);
        return true;
      });
    }
    for (const url of ['', 'localhost', 'mysql://localhost/x']) {
      await assert.rejects(open(url), { code: 'invalid_setting' });
    }
  });

  test('who may use the tables but not make any is let in', async () => {
    const url = server.url('granted');
    await (await open(url)).close();
    const client = await person(url);
    await client.query(`CREATE ROLE clerk LOGIN PASSWORD 'pencil'`);
    await client.query(
      'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk',
    );
    await client.end();
    const history = await open(url.replace(/\/\/[^@]*@/, '//clerk:pencil@'));
    await history.apply([closed('s', 1)], []);
    assert.equal(await history.wrongBuckets(), 0);
    await history.close();
  });

  test('a server that is not there yet is waited for, said once, until told not to', async (t) => {
    const later = await startPostgres();
    t.after(() => later.dispose());
    await later.stop();
    const logged: { level: string; reason?: string }[] = [];
    const said = Promise.withResolvers<void>();
    const logger = createLogger('info', {
      write: (line) => {
        logged.push(JSON.parse(line));
        said.resolve();
      },
    });
    const opening = openPostgresHistory({ url: later.url(), clock, logger });
    await said.promise;
    await later.start();
    const history = await opening;
    assert.deepEqual(await history.positions(), []);
    await history.close();
    assert.deepEqual(
      logged.map(({ level }) => level),
      ['error', 'info'],
    );
    assert.match(logged[0]!.reason!, /^PostgreSQL at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);

    await later.stop();
    const stopping = new AbortController();
    const waiting = openPostgresHistory({ url: later.url(), clock, signal: stopping.signal });
    stopping.abort();
    await assert.rejects(waiting, { code: 'history_unavailable' });
  });

  test('close waits for what was asked before, and takes nothing more', async () => {
    const history = await open(server.url('closing'));
    const records = Array.from({ length: 40 }, (_, n) => closed(`s${n}`, 1));
    const applied = Promise.all(records.map((record) => history.apply([record], [])));
    await history.close();
    await applied;
    await history.close();
    await assert.rejects(history.positions(), { code: 'history_unavailable', message: /closed/ });
  });
});

/** A row's columns, as version 2 of the tables had them, and values for row `n`. */
function statementColumns(): Record<string, string> {
  const names = /INSERT INTO user_sessions AS kept \(([^)]*)\)/.exec(statement('upsert-sessions'));
  const values: Record<string, string> = {
    session_id: `'s' || n`,
    revenue: `'{"EUR":59.9,"XXX":"none"}'`,
    state: `'closed'`,
    user_id: `'user'`,
    channel: `'direct'`,
    trail: `'[]'`,
  };
  for (const name of names![1]!.split(',').map((one) => one.trim())) {
    if (name in values) continue;
    if (/^(start|end)_time$/.test(name)) values[name] = `'2026-11-23T10:00:00Z'`;
    else if (/^(event_counts|first_event_times|cart_value|utm)$/.test(name)) values[name] = `'{}'`;
    else if (/^(.*_truncated|has_conversion|bounced|engaged)$/.test(name)) values[name] = 'false';
    else if (/(_count|_views|_pages|searches|_carts|purchases|revision|_seconds)$/.test(name)) {
      values[name] = '1';
    }
  }
  return values;
}
