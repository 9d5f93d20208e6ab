/** SQL on a PostgreSQL server: a pool of connections, transactions repeated where they collide. */
import pg from 'pg';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import { isConflict, unavailable } from './postgres-errors.ts';
import type { Querying, Row, Sql } from './sql.ts';

export interface PostgresSqlOptions {
  /** postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE */
  readonly url: URL;
  readonly clock: Clock;
  readonly maxConnections: number;
  /** A statement that takes longer is cancelled; 0 for no bound. */
  readonly statementTimeoutMs: number;
  /**
   * Sends a transaction's statements without waiting for the one before; without it, which is there
   * to be measured against, they wait in the driver. Default true.
   */
  readonly pipeline?: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** More than the server's own bound: then it is the server, or the way to it, that says nothing. */
const SILENCE_MS = 5000;
/**
 * How long a client that was suspended or cut off may keep its locks; the rows of its partitions
 * are waited for by whoever took them over.
 */
const STALLED_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const ATTEMPTS = 8;
const FIRST_PAUSE_MS = 10;

/** What the upsert relies on: that a statement sees what was committed before it began. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

export class PostgresSql implements Sql {
  readonly #options: PostgresSqlOptions;
  readonly #pool: pg.Pool;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | null = null;

  constructor(options: PostgresSqlOptions) {
    this.#options = options;
    const { statementTimeoutMs, maxConnections: max, pipeline = true } = options;
    this.#pool = new pg.Pool({
      connectionString: connectionString(options),
      max,
      pipeline,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...(statementTimeoutMs === 0 ? {} : { query_timeout: statementTimeoutMs + SILENCE_MS }),
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    // Whoever uses a connection is told of its end by the query; one that is idle just goes.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  query(text: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.#run(() => rowsOf(this.#pool, text, params));
  }

  transaction<T>(work: (inside: Querying) => Promise<T>): Promise<T> {
    return this.#run(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#attempt(work);
        } catch (error) {
          if (!isConflict(error) || attempt === ATTEMPTS) throw error;
          await this.#options.clock.sleep(FIRST_PAUSE_MS * 2 ** attempt * Math.random());
        }
      }
    });
  }

  async sizeBytes(): Promise<number> {
    const text = 'SELECT pg_database_size(current_database())::double precision AS bytes';
    const [row] = await this.query(text, []);
    return row!['bytes'] as number;
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(() => this.#pool.end());
    return this.#closing;
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw new LullError('history_unavailable', 'history is closed');
    const result = work();
    this.#running.add(result);
    try {
      return await result;
    } catch (error) {
      throw unavailable(error, this.#options.url);
    } finally {
      this.#running.delete(result);
    }
  }

  async #attempt<T>(work: (inside: Querying) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const begun = client.query(BEGIN);
      begun.catch(() => {});
      const result = await work({ query: (text, params) => rowsOf(client, text, params) });
      await begun;
      const { command } = await client.query('COMMIT');
      // So it answers a transaction in which a statement had failed.
      if (command !== 'COMMIT') throw new Error('the transaction was undone');
      client.release();
      return result;
    } catch (error) {
      const isUndone = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      client.release(!isUndone);
      throw error;
    }
  }
}

async function rowsOf(
  place: pg.Pool | pg.PoolClient,
  text: string,
  params: readonly unknown[] | undefined,
): Promise<Row[]> {
  // Without parameters as plain text, which may hold several statements.
  const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] =
    params === undefined ? await place.query(text) : await place.query(text, [...params]);
  return (Array.isArray(result) ? result.at(-1)! : result).rows;
}

function connectionString({ url, statementTimeoutMs }: PostgresSqlOptions): string {
  const given = new URL(url);
  const settings = {
    search_path: 'public',
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: STALLED_MS,
    // So that the server too finds out that a client's machine is gone.
    tcp_keepalives_idle: 10,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const own = given.searchParams.get('options');
  given.searchParams.set('options', [...(own === null ? [] : [own]), ...options].join(' '));
  given.searchParams.set('application_name', 'lull');
  // sslmode as PostgreSQL's own programs understand it.
  if (given.searchParams.has('sslmode')) given.searchParams.set('uselibpqcompat', 'true');
  return given.href;
}
