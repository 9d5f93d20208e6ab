/** Embedded history: PostgreSQL in this process (PGlite), in a thread and a folder of its own. */
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LullError } from '../errors.ts';
import type { History } from './history.ts';
import { PgliteThread } from './pglite-thread.ts';
import { type Querying, type Row, type Sql, statement } from './sql.ts';
import { openSqlHistory } from './sql-history.ts';

export interface EmbeddedHistoryOptions {
  /** Created when it isn't there. Only one process may have it open. */
  readonly directory: string;
}

const UPKEEP = statement('upkeep');
/** Transactions between two looks at what upkeep is due. */
const UPKEEP_TRANSACTIONS = 16;

/** Opens history in a folder; what `apply` has resolved for survives a power loss. */
export async function openEmbeddedHistory(options: EmbeddedHistoryOptions): Promise<History> {
  const sql = await openEmbeddedSql(options.directory);
  try {
    return await openSqlHistory(sql);
  } catch (error) {
    await sql.close();
    throw error;
  }
}

/** The database alone, without history's tables where they aren't there yet. */
export async function openEmbeddedSql(directory: string): Promise<Sql> {
  if (!existsSync(directory)) await createDatabase(directory);
  const sql = new EmbeddedSql(directory);
  try {
    await sql.query('SELECT 1', []);
  } catch (cause) {
    const hint = 'restore the data folder from a backup, or start a new one';
    const message = `${directory} can't be opened: ${(cause as Error).message}`;
    throw new LullError('history_unavailable', message, { cause, hint });
  }
  return sql;
}

/**
 * Creates the database beside its place and moves it there when it is whole and synced, so that a
 * crash leaves none or all of it. In a thread of its own: creating takes memory that opening
 * doesn't.
 */
async function createDatabase(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  const thread = new PgliteThread({ directory: unfinished, create: true });
  if (!(await thread.ended)) throw thread.end!;
  await syncTree(unfinished);
  await rename(unfinished, directory);
  await syncPath(dirname(directory));
}

/** Statements sent to the thread, one transaction at a time. */
class EmbeddedSql implements Sql {
  readonly #directory: string;
  #thread: PgliteThread;
  #turn: Promise<unknown> = Promise.resolve();
  #transactions = 0;
  #closed = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.#thread = this.#start();
  }

  query(text: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.#inTurn((thread) => thread.send(text, params ?? null));
  }

  transaction<T>(work: (inside: Querying) => Promise<T>): Promise<T> {
    const result = this.#inTurn(async (thread) => {
      await thread.send('BEGIN', null);
      try {
        const done = await work({
          query: (text, params) => thread.send(text, params ?? null),
        });
        await thread.send('COMMIT', null);
        return done;
      } catch (error) {
        await thread.send('ROLLBACK', null).catch(() => {});
        throw error;
      }
    });
    if (++this.#transactions % UPKEEP_TRANSACTIONS === 0) this.#keepUp();
    return result;
  }

  sizeBytes(): Promise<number> {
    return treeBytes(this.#directory);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#inTurn((thread) => {
      this.#closed = true;
      return thread.close();
    });
  }

  /** After a crash of PostgreSQL the next one starts it again, and it recovers as a server does. */
  #inTurn<T>(work: (thread: PgliteThread) => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      if (this.#closed) throw new LullError('history_unavailable', 'history is closed');
      if (this.#thread.end !== null) {
        await this.#thread.ended;
        this.#thread = this.#start();
      }
      return work(this.#thread);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #start(): PgliteThread {
    return new PgliteThread({ directory: this.#directory, create: false });
  }

  /** PostgreSQL for a single user has neither checkpointer nor autovacuum. */
  #keepUp(): void {
    const done = this.#inTurn(async (thread) => {
      await thread.send('SELECT pg_stat_force_next_flush()', []);
      for (const row of await thread.send(UPKEEP, [])) {
        await thread.send(row['statement'] as string, []);
      }
    });
    // What fails here fails for the next caller too, and is due again soon.
    done.catch(() => {});
  }
}

async function treeBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of await filesOf(directory)) {
    // A file may go while they are counted.
    bytes += await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

/** Syncs every file and folder below a folder, and itself. */
async function syncTree(directory: string): Promise<void> {
  // At once: the file system then writes its journal a few times instead of a thousand.
  await Promise.all((await filesOf(directory)).map(syncPath));
  await syncPath(directory);
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.map((entry) => join(entry.parentPath, entry.name));
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
