/** Embedded history: PostgreSQL in this process (PGlite), in a thread and a folder of its own. */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LullError } from '../errors.ts';
import type { History } from './history.ts';
import { syncPath } from './pglite-files.ts';
import type { WorkerAnswer, WorkerRequest, WorkerTask } from './pglite-worker.ts';
import type { Querying, Row, Sql } from './sql.ts';
import { openSqlHistory } from './sql-history.ts';

export interface EmbeddedHistoryOptions {
  /** Created when it isn't there. Only one process may have it open. */
  readonly directory: string;
}

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
  await createDatabase(directory);
  return EmbeddedSql.open(directory);
}

/**
 * Creates the database beside its place and moves it there when it is whole and synced, so that a
 * crash leaves none or all of it. Its thread ends with it: creating takes 150 MB that opening
 * doesn't.
 */
async function createDatabase(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  mkdirSync(dirname(directory), { recursive: true });
  const unfinished = `${directory}.new`;
  const worker = startWorker({ directory: unfinished, create: true });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
  renameSync(unfinished, directory);
  await syncPath(dirname(directory));
}

function startWorker(task: WorkerTask): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./pglite-worker.${extension}`, import.meta.url), {
    workerData: task,
  });
}

interface Waiting {
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (error: Error) => void;
}

/** Statements sent to the thread, one transaction at a time. */
class EmbeddedSql implements Sql {
  readonly #directory: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #ended: LullError | null = null;

  static async open(directory: string): Promise<EmbeddedSql> {
    const sql = new EmbeddedSql(directory);
    await sql.#send('SELECT 1', null);
    return sql;
  }

  private constructor(directory: string) {
    this.#directory = directory;
    this.#worker = startWorker({ directory, create: false });
    this.#worker.on('message', (answer: WorkerAnswer) => this.#settle(answer));
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(null));
  }

  query(text: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.#inTurn(() => this.#send(text, params ?? null));
  }

  transaction<T>(work: (inside: Querying) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      await this.#send('BEGIN', null);
      try {
        const result = await work({
          query: (text, params) => this.#send(text, params ?? null),
        });
        await this.#send('COMMIT', null);
        return result;
      } catch (error) {
        await this.#send('ROLLBACK', null).catch(() => {});
        throw error;
      }
    });
  }

  sizeBytes(): Promise<number> {
    return treeBytes(this.#directory);
  }

  async close(): Promise<void> {
    await this.#inTurn(
      () =>
        new Promise<void>((resolve) => {
          if (this.#ended !== null) return resolve();
          this.#worker.once('exit', () => resolve());
          this.#worker.postMessage('close');
        }),
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #send(text: string, params: readonly unknown[] | null): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) return reject(this.#ended);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, text, params } satisfies WorkerRequest);
    });
  }

  #settle(answer: WorkerAnswer): void {
    const waiting = this.#waiting.get(answer.id)!;
    this.#waiting.delete(answer.id);
    if (answer.rows !== undefined) {
      waiting.resolve(answer.rows);
      return;
    }
    const { message, sqlState } = answer.error!;
    waiting.reject(
      new LullError('history_unavailable', `history failed: ${message}`, {
        cause: sqlState,
      }),
    );
  }

  #end(cause: Error | null): void {
    this.#ended ??= new LullError('history_unavailable', 'history is closed', { cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }
}

async function treeBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // A file may go while they are counted.
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
