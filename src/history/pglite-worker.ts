/** The thread that PGlite runs in: it blocks its thread while it works. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite } from '@electric-sql/pglite';
import { openDatabase } from './pglite-database.ts';

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

async function main({ directory, create }: WorkerTask): Promise<void> {
  const database = await openDatabase({ directory, onLine: listen }).catch((error: Error) => {
    tell({ end: `${error.message}: ${lastLine}` });
    process.exit(1);
  });
  const close = async () => {
    await database.close();
    process.exit(0);
  };
  if (create) return close();
  let turn: Promise<void> = Promise.resolve();
  port.on('message', (request: WorkerRequest | 'close') => {
    turn = turn.then(async () => {
      if (request === 'close') return close();
      tell(await answer(database, request));
    });
  });
}

await main(workerData as WorkerTask);
