/** The thread that PGlite runs in: it blocks its thread while it works. */
import { rm } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite, types } from '@electric-sql/pglite';
import { SyncedFiles, syncTree } from './pglite-files.ts';

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

export interface WorkerAnswer {
  readonly id: number;
  readonly rows?: Record<string, unknown>[];
  readonly error?: { readonly message: string; readonly sqlState: string | null };
}

/** As PGlite starts PostgreSQL, but with fsync on, and with no more memory than history needs. */
const START = [
  ...['--single', '-O', '-j'],
  ...settings({
    search_path: 'public',
    exit_on_error: 'false',
    fsync: 'on',
    wal_sync_method: 'fsync',
    shared_buffers: '32MB',
    max_connections: '5',
    max_worker_processes: '0',
    max_parallel_workers: '0',
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    io_method: 'sync',
    log_checkpoints: 'false',
    jit: 'off',
  }),
];

function settings(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function create(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await (await open(directory)).close();
  await syncTree(directory);
}

async function serve(directory: string): Promise<void> {
  const database = await open(directory);
  const port = parentPort!;
  let turn: Promise<void> = Promise.resolve();
  port.on('message', (request: WorkerRequest | 'close') => {
    turn = turn.then(async () => {
      if (request !== 'close') return port.postMessage(await answer(database, request));
      await database.close();
      process.exit(0);
    });
  });
}

/**
 * Opening runs PostgreSQL's expression interpreter, one function for which V8's optimizing compiler
 * takes 600 MB and 2 s. Code that is first used while the filter names another function stays
 * baseline code for good; what is first used later is optimized as ever. Costs 15 % of throughput.
 */
async function open(directory: string): Promise<PGlite> {
  setFlagsFromString('--wasm-tier-up-filter=0');
  try {
    return await PGlite.create({
      fs: new SyncedFiles(directory),
      startParams: START,
      initDbStartParams: ['--wal-segsize=4'],
      serializers: { [types.JSONB]: jsonbBytes as unknown as (value: unknown) => string },
    });
  } finally {
    setFlagsFromString('--wasm-tier-up-filter=-1');
  }
}

/** JSON in jsonb's binary form, a version and the text: a third less work than a text parameter. */
function jsonbBytes(json: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(1 + Buffer.byteLength(json));
  bytes[0] = 1;
  bytes.write(json, 1);
  return bytes;
}

async function answer(database: PGlite, request: WorkerRequest): Promise<WorkerAnswer> {
  const { id, text, params } = request;
  try {
    const results =
      params === null ? await database.exec(text) : [await database.query(text, [...params])];
    return { id, rows: (results.at(-1)?.rows ?? []) as Record<string, unknown>[] };
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return { id, error: { message, sqlState: code ?? null } };
  }
}

const task = workerData as WorkerTask;
if (task.create) {
  await create(task.directory);
  process.exit(0);
}
await serve(task.directory);
