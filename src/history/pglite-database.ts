/** PGlite on a folder: synced to disk as a PostgreSQL server is, in as little memory as may be. */
import { fsyncSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { PGlite, types } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

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
    maintenance_work_mem: '16MB',
    // Analyzing holds 300 rows in memory for each.
    default_statistics_target: '10',
    min_wal_size: '16MB',
    max_wal_size: '64MB',
    jit: 'off',
    io_method: 'sync',
    max_worker_processes: '0',
    max_parallel_workers: '0',
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    log_checkpoints: 'false',
    log_line_prefix: '',
  }),
];

/**
 * Page checksums would make each first look at a page, as vacuum takes, write it to the log whole:
 * four times the log. Torn pages are mended from the log without them.
 */
const INITDB = ['--wal-segsize=4', '--no-data-checksums'];

function settings(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

export interface DatabaseOptions {
  /** Created with a new database in it when there is none. */
  readonly directory: string;
  /** Makes what was written to a file or folder survive a power loss. Default: fsync(2). */
  readonly sync?: (descriptor: number, path: string) => void;
  /** What PostgreSQL says on standard error. */
  readonly onLine?: (line: string) => void;
}

/** Opens the database, or creates it, which is better done in a thread of its own. */
export async function openDatabase(options: DatabaseOptions): Promise<PGlite> {
  const { directory, sync = fsyncSync, onLine } = options;
  const database = new LeanPGlite({
    fs: new SyncedFiles(directory, sync),
    startParams: START,
    initDbStartParams: INITDB,
    serializers: { [types.JSONB]: jsonbBytes as unknown as (value: unknown) => string },
    onStderr: (line) => {
      onLine?.(line);
      return false;
    },
  });
  await database.waitReady;
  return database;
}

/**
 * PostgreSQL's expression interpreter is one function for which V8's optimizing compiler takes
 * 600 MB and 2 s. So it is made to stay baseline code, by being run first within `unoptimized`.
 */
class LeanPGlite extends PGlite {
  /** The first statement that is run. */
  override _initArrayTypes(options?: Parameters<PGlite['_initArrayTypes']>[0]): Promise<void> {
    return unoptimized(() => super._initArrayTypes(options));
  }
}

/**
 * WebAssembly functions that are run for the first time while this works are never optimized,
 * in all of the process; it may end early for one of two at the same time, which only costs memory.
 */
export async function unoptimized<T>(work: () => Promise<T>): Promise<T> {
  // Names the one function that may be: the first, which is an import.
  setFlagsFromString('--wasm-tier-up-filter=0');
  try {
    return await work();
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

/** The parts of Emscripten's file system that are needed here; PGlite doesn't type them. */
interface NodeFiles {
  realPath(node: unknown): string;
  tryFSOperation(operation: () => void): void;
  stream_ops: { fsync?: (stream: { readonly nfd: number; readonly node: unknown }) => number };
}

interface EmscriptenOptions {
  readonly preRun?: readonly ((module: { readonly NODEFS: NodeFiles }) => void)[];
}

/**
 * Emscripten's NODEFS has no fsync of its own, so that PostgreSQL's would do nothing. With this one
 * each fsync(2) of PostgreSQL, of files and folders alike, is one of the operating system.
 * fdatasync(2) never gets here: hence wal_sync_method=fsync.
 */
class SyncedFiles extends NodeFS {
  readonly #sync: (descriptor: number, path: string) => void;

  constructor(directory: string, sync: (descriptor: number, path: string) => void) {
    super(directory);
    this.#sync = sync;
  }

  override async init(pg: PGlite, options: Parameters<NodeFS['init']>[1]) {
    const { emscriptenOpts } = await super.init(pg, options);
    const given = emscriptenOpts as unknown as EmscriptenOptions;
    const withSync: EmscriptenOptions = {
      ...given,
      preRun: [
        ...(given.preRun ?? []),
        ({ NODEFS: files }) => {
          files.stream_ops.fsync = ({ nfd, node }) => {
            files.tryFSOperation(() => this.#sync(nfd, files.realPath(node)));
            return 0;
          };
        },
      ],
    };
    return { emscriptenOpts: withSync as unknown as typeof emscriptenOpts };
  }
}
