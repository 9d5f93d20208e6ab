/** How PostgreSQL answers history's statements, and those that people type: by index or scan. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { closed, merged, TIME_0_MS } from '../../test/support/history-records.ts';
import {
  type PostgresServer,
  startPostgres,
  unlessPostgres,
} from '../../test/support/postgres-server.ts';
import { systemClock } from '../ops/clock.ts';
import { openPostgresHistory } from './postgres.ts';
import { statement } from './sql.ts';

const SESSIONS = 12_000;
const DAYS = 60;
const DAY_MS = 86_400_000;
const BRIEF = join(import.meta.dirname, '../../../shared/brief.md');

const at = (daysBefore: number) => new Date(TIME_0_MS - daysBefore * DAY_MS).toISOString();
const sentIds = JSON.stringify(
  Array.from({ length: 50 }, (_, n) => {
    const one = closed(`s${n * 97}`, 9, { endTime: at(1) });
    return { ...one, mergedInto: null };
  }),
);
const positions = JSON.stringify([{ logId: 'log', partition: 1, nextOffset: 2 }]);
const window = [300, at(1), at(1), at(0)];

/** Parameters as they come, of each statement that has to find its rows by an index. */
const INDEXED: Record<string, readonly unknown[]> = {
  absorbed: ['s7', 100],
  breakdown: ['device', at(1), at(0.5), at(1.01), at(1), at(0.5), at(0.49), 10],
  converted: ['infinity', '', 20],
  'duration-series': [...window, false],
  'expire-lineage': [at(DAYS - 1), 1000],
  'expire-sessions': [at(DAYS - 1), 50],
  'leave-lineage': [sentIds],
  'of-user': ['user-7', at(1), 's7', 50],
  'revenue-series': window,
  series: window,
  session: ['s7'],
  stats: [at(1), at(0.01), at(1.001), at(1), at(0.01), at(0)],
  'rewind-positions': [positions],
  'store-positions': [positions],
  survivor: ['s7'],
  'take-out-sessions': [sentIds],
  totals: ['user-7'],
  'upsert-lineage': [sentIds],
  'upsert-sessions': [sentIds],
};

/** Those that look at whole tables, and why they may. */
const SCANNING: Record<string, string> = {
  positions: 'a row a partition',
  migrations: 'makes its table',
  'lock-buckets': 'a lock',
  'lock-writers': 'a lock',
  'expire-buckets': 'the rollup alone, once a minute',
  'wrong-buckets': 'a check of everything',
  upkeep: "PGlite's only",
};

/** What people type. A figure over all rows reads all rows. */
const TYPED: readonly [text: string, mayScan: boolean][] = [
  ['SELECT COUNT(*) FROM user_sessions', true],
  [
    `SELECT user_id, COUNT(*) as session_count FROM user_sessions
    GROUP BY user_id ORDER BY session_count DESC LIMIT 10`,
    true,
  ],
  [`SELECT * FROM user_sessions WHERE user_id = 'user-7' ORDER BY start_time DESC`, false],
  [`SELECT * FROM user_sessions WHERE has_conversion ORDER BY end_time DESC LIMIT 10`, false],
  [`SELECT avg(duration_seconds) FROM user_sessions WHERE end_time >= '${at(1)}'`, false],
];

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Plan[];
}

function scanned(plan: Plan): string[] {
  const own = plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : [];
  return [...own, ...(plan.Plans ?? []).flatMap(scanned)];
}

describe('plans of PostgreSQL', { skip: unlessPostgres() }, () => {
  let server: PostgresServer;
  let client: pg.Client;

  before(async () => {
    const settings = { shared_preload_libraries: 'pg_stat_statements' };
    server = await startPostgres({ settings });
    const history = await openPostgresHistory({ url: server.url(), clock: systemClock });
    const records = Array.from({ length: SESSIONS }, (_, n) => {
      if (n % 10 === 0) return { ...merged(`s${n}`, `s${n + 1}`, 2), userId: `user-${n % 999}` };
      const endTime = at((n / SESSIONS) * DAYS);
      return closed(`s${n}`, 1, {
        ...{ userId: `user-${n % 999}`, startTime: endTime, endTime, durationSeconds: n % 600 },
        hasConversion: n % 15 === 1,
        revenue: n % 15 === 1 ? { EUR: 9.99, USD: 1 } : {},
      });
    });
    for (let first = 0; first < SESSIONS; first += 2000) {
      await history.apply(records.slice(first, first + 2000), []);
    }
    await history.close();
    client = new pg.Client(server.url());
    await client.connect();
    await client.query(
      `INSERT INTO session_lineage (session_id, revision, merged_into, end_time)
      SELECT 'm' || n, 1, 's' || n, now() FROM generate_series(1, 30000) AS n`,
    );
    await client.query('VACUUM ANALYZE');
  });
  after(async () => {
    await client.end();
    await server.dispose();
  });

  const planOf = async (text: string, params: readonly unknown[] = []) => {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`, [...params]);
    return rows[0]['QUERY PLAN'][0].Plan as Plan;
  };

  test('every statement is known to look up its rows, or is meant to scan', () => {
    const files = readdirSync(new URL('./sql/', import.meta.url));
    const names = files.filter((file) => file.endsWith('.sql')).map((file) => file.slice(0, -4));
    assert.deepEqual(names.sort(), [...Object.keys(INDEXED), ...Object.keys(SCANNING)].sort());
  });

  for (const [name, params] of Object.entries(INDEXED)) {
    test(`${name} finds its rows by an index`, async () => {
      const plan = await planOf(statement(name), params);
      assert.deepEqual(scanned(plan), [], JSON.stringify(plan));
    });
  }

  test('a statement without an index would be noticed', async () => {
    const plan = await planOf(`SELECT * FROM user_sessions WHERE device = 'mobile'`);
    assert.deepEqual(scanned(plan), ['user_sessions']);
  });

  for (const [text, mayScan] of TYPED) {
    test(`${text.slice(0, 60)}… ${mayScan ? 'runs' : 'is answered by an index'}`, async () => {
      if (!mayScan) assert.deepEqual(scanned(await planOf(text)), []);
      await client.query(text);
    });
  }

  const skip = existsSync(BRIEF) ? false : 'needs ../shared/brief.md';
  test('the SQL of the brief runs as it is written', { skip }, async () => {
    await client.query('CREATE EXTENSION pg_stat_statements');
    const texts = readFileSync(BRIEF, 'utf8').match(/\bSELECT\b[^;]*;/g) ?? [];
    assert.ok(texts.length >= 4, `${texts.length} statements`);
    const answers: Record<string, unknown>[][] = [];
    for (const text of texts) answers.push((await client.query(text)).rows);
    const total = SESSIONS * 0.9;
    assert.deepEqual(answers[0], [{ count: `${total}` }]);
    assert.equal(answers[1]!.length, 10);
    assert.deepEqual(Object.keys(answers[1]![0]!), ['user_id', 'session_count']);
    assert.deepEqual(answers[2], [
      { total: `${total}`, converted: '800', conversion_rate: '7.41' },
    ]);
    assert.ok(answers[3]!.length > 0);
  });
});
