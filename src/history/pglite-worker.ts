/** The thread that PGlite runs in: it blocks its thread while it works. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite } from '@electric-sql/pglite';
import { openDatabase, unoptimized } from './pglite-database.ts';

/** What the thread is started with. */
export interface WorkerTask {
  readonly directory: string;
  /** Creates the database and ends; without it, opens it and answers. */
  readonly create: boolean;
}

export interface WorkerRequest {
  readonly id: number;
  readonly text: string;
  /** null: the text may hold several statements; the rows are those of the last one. */
  readonly params: readonly unknown[] | null;
}

export type WorkerMessage =
  | { readonly id: number; readonly rows: Record<string, unknown>[] }
  | { readonly id: number; readonly error: string }
  /** Why PostgreSQL gives up: its last words, before the thread ends. */
  | { readonly end: string };

const port = parentPort!;
let lastLine = '';

function tell(message: WorkerMessage): void {
  port.postMessage(message);
}

/** PGlite would go on after PostgreSQL has given up, with nothing that can be relied on. */
function listen(line: string): void {
  lastLine = line;
  if (!/^(PANIC|FATAL):/.test(line)) return;
  tell({ end: line });
  process.exit(1);
}

async function answer(database: PGlite, request: WorkerRequest): Promise<WorkerMessage> {
  const { id, text, params } = request;
  try {
    const results =
      params === null ? await database.exec(text) : [await database.query(text, [...params])];
    return { id, rows: (results.at(-1)?.rows ?? []) as Record<string, unknown>[] };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

async function create(directory: string): Promise<void> {
  await (await openDatabase({ directory, onLine: listen })).close();
}

async function serve(directory: string): Promise<void> {
  const database = await openDatabase({ directory, onLine: listen });
  let turn: Promise<void> = Promise.resolve();
  port.on('message', (request: WorkerRequest | 'close') => {
    turn = turn.then(async () => {
      if (request !== 'close') return tell(await answer(database, request));
      await database.close();
      process.exit(0);
    });
  });
}

try {
  const task = workerData as WorkerTask;
  if (!task.create) {
    await serve(task.directory);
  } else {
    // All of it runs but once.
    await unoptimized(() => create(task.directory));
    process.exit(0);
  }
} catch (error) {
  tell({ end: `${(error as Error).message}: ${lastLine}` });
  process.exit(1);
}
