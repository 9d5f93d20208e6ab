/** History on a PostgreSQL server, which several instances may share. */
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { Outage } from '../ops/outage.ts';
import type { History } from './history.ts';
import { migrate } from './migrate.ts';
import {
  existsAlready,
  isDatabaseMissing,
  isPassing,
  refused,
  wordsOf,
} from './postgres-errors.ts';
import { PostgresSql } from './postgres-sql.ts';
import type { Sql } from './sql.ts';
import { SqlHistory } from './sql-history.ts';

export interface PostgresHistoryOptions {
  /**
   * postgres://user:password@host:5432/sessiondb; the database is made when it isn't there.
   * TLS: `?sslmode=require`, or `verify-full` with `sslrootcert=FILE`.
   */
  readonly url: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Ends the wait for a server that isn't there. */
  readonly signal?: AbortSignal;
  /** Default 8. */
  readonly maxConnections?: number;
}

const STATEMENT_TIMEOUT_MS = 30_000;
/** What the statements are written for. */
const MIN_VERSION = 15;
const DATABASE = 'sessiondb';
/** Every server has it; from there another database can be made. */
const FIRST_DATABASE = 'postgres';

/**
 * Opens history, waiting for a server that can't be reached. Rejects with `history_refused` when
 * the server doesn't let us in or is none that history can live on.
 */
export async function openPostgresHistory(options: PostgresHistoryOptions): Promise<History> {
  const { clock, logger, signal, maxConnections = 8 } = options;
  const url = parseUrl(options.url);
  const down = 'PostgreSQL can not be reached: trying again';
  const outage = new Outage({ clock, logger, down, up: 'PostgreSQL can be reached again' });
  for (;;) {
    try {
      await prepare(url, clock);
      break;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await outage.wait(error, signal);
      if (signal?.aborted) throw error;
    }
  }
  outage.over();
  const statementTimeoutMs = STATEMENT_TIMEOUT_MS;
  return new SqlHistory(new PostgresSql({ url, clock, maxConnections, statementTimeoutMs }));
}

/** Brings the database into being and up to date, however long its migrations take. */
async function prepare(url: URL, clock: Clock): Promise<void> {
  const sql = patient(url, clock);
  try {
    await checkServer(sql, url, clock);
    await migrate(sql);
  } catch (error) {
    throw refusedOr(error, url);
  } finally {
    await sql.close();
  }
}

async function checkServer(sql: Sql, url: URL, clock: Clock): Promise<void> {
  const text = `SELECT current_setting('server_version_num')::integer / 10000 AS version,
    current_setting('server_encoding') AS encoding`;
  const [row] = await sql.query(text, []).catch(async (error: unknown) => {
    if (!isDatabaseMissing((error as Error).cause)) throw error;
    await createDatabase(url, clock);
    return sql.query(text, []);
  });
  const { version, encoding } = row as { version: number; encoding: string };
  if (version < MIN_VERSION) {
    throw refused(null, url, `it is version ${version}; ${MIN_VERSION} or newer is needed`);
  }
  if (encoding !== 'UTF8') {
    throw refused(null, url, `the database is encoded in ${encoding}; UTF8 is needed`);
  }
}

async function createDatabase(url: URL, clock: Clock): Promise<void> {
  const elsewhere = new URL(url);
  elsewhere.pathname = `/${FIRST_DATABASE}`;
  const sql = patient(elsewhere, clock);
  const name = decodeURIComponent(url.pathname.slice(1)).replaceAll('"', '""');
  try {
    // Its order of texts is that of their bytes, which no update of the system's locales changes.
    const like = `TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`;
    await sql.query(`CREATE DATABASE "${name}" ${like}`);
  } catch (error) {
    const { cause } = error as Error;
    if (existsAlready(cause)) return;
    if (isPassing(cause)) throw error;
    throw refused(
      cause,
      url,
      `there is no database ${name}, nor may it be made: ${wordsOf(cause)}`,
    );
  } finally {
    await sql.close();
  }
}

/** One connection, and no bound on its statements. */
function patient(url: URL, clock: Clock): PostgresSql {
  return new PostgresSql({ url, clock, maxConnections: 1, statementTimeoutMs: 0 });
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    const example = 'postgres://user:password@host:5432/sessiondb';
    throw new LullError('invalid_setting', `PostgreSQL's address must be a URL such as ${example}`);
  }
  if (url.pathname.length <= 1) url.pathname = `/${DATABASE}`;
  return url;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof LullError && ['history_unavailable', 'disk_full'].includes(error.code);
}

/** What doesn't pass by itself is told as such. */
function refusedOr(error: unknown, url: URL): unknown {
  if (!isUnavailable(error)) return error;
  const { cause } = error as Error;
  return isPassing(cause) ? error : refused(cause, url);
}
