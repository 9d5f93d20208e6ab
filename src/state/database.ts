/** RocksDB as the state needs it: batches in order, its write-ahead log synced, errors named. */
import { type FileHandle, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type RocksDB from 'rocksdb-native';
import type { WriteBatch } from 'rocksdb-native';
import { LullError } from '../errors.ts';

/**
 * RocksDB would begin a new write-ahead log by itself when this much is in memory. It must never
 * get there: without `track_and_verify_wals`, which the binding doesn't offer, recovery doesn't
 * notice when the end of a log is lost while its successor is there. So `rotate` comes first.
 */
const WRITE_BUFFER_BYTES = 40 * 1024 * 1024;
/** Written since the last flush, counted generously, when the next one is due. */
const ROTATE_BYTES = 32 * 1024 * 1024;
/** More than RocksDB takes in memory for an entry beside its key and value. */
const ENTRY_BYTES = 64;
const READ_AHEAD = 256;
const DIAGNOSTICS_BYTES = 4 * 1024 * 1024;

/** The write-ahead log that is being written. */
interface Wal {
  readonly number: number;
  readonly file: FileHandle;
}

/** Collects one batch; nothing it was given may change until the batch is written. */
export class Batch {
  readonly #batch: WriteBatch;
  bytes = 0;

  constructor(batch: WriteBatch) {
    this.#batch = batch;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.bytes += key.length + value.length + ENTRY_BYTES;
    this.#batch.tryPut(key, value);
  }

  delete(key: Uint8Array): void {
    this.bytes += key.length + ENTRY_BYTES;
    this.#batch.tryDelete(key);
  }

  deleteRange(start: Uint8Array, end: Uint8Array): void {
    this.bytes += start.length + end.length + ENTRY_BYTES;
    this.#batch.tryDeleteRange(start, end);
  }
}

/** One RocksDB of a single column family, so that a flush can't part what belongs together. */
export class Database {
  readonly #db: RocksDB;
  readonly #directory: string;
  #wal: Wal;
  #unflushedBytes = 0;
  /** The flush under way; settles without ever rejecting. */
  #flushing: Promise<void> = Promise.resolve();
  /** The end of the queue of writes. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Once set, what is on disk can't be told, and every call rejects with it. */
  #failure: Error | null = null;
  #closed = false;

  /** Use `Database.open`. */
  private constructor(db: RocksDB, directory: string, wal: Wal) {
    this.#db = db;
    this.#directory = directory;
    this.#wal = wal;
  }

  /**
   * Opens the folder, making it when there is none. Rejects with `data_locked`, `data_unwritable`,
   * `disk_full`, `library_missing` or `log_corrupt`.
   */
  static async open(directory: string): Promise<Database> {
    const native = await loadLibrary();
    try {
      await makeFolder(directory);
      await removeOldDiagnostics(directory);
      const db = new native.default(directory, {
        maxBackgroundJobs: 2,
        maxOpenFiles: 256,
        writeBufferSize: WRITE_BUFFER_BYTES,
        walRecoveryMode: native.default.constants.walRecoveryMode.POINT_IN_TIME,
      });
      await db.ready();
      try {
        return new Database(db, directory, await openWal(db, directory));
      } catch (error) {
        await db.close();
        throw error;
      }
    } catch (error) {
      throw namedError(error, directory);
    }
  }

  /** Values in the order of the keys. */
  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | null)[]> {
    this.#check();
    if (keys.length === 0) return [];
    const batch = this.#db.read({ capacity: keys.length, autoDestroy: true });
    const values = Promise.all(keys.map((key) => batch.get(key)));
    try {
      await Promise.all([values, batch.flush()]);
      return await values;
    } catch (error) {
      throw namedError(error, this.#directory);
    }
  }

  /** Entries from `gte` to below `lt` as they were when the reading began. */
  async *entries(gte: Uint8Array, lt: Uint8Array, limit = Number.POSITIVE_INFINITY) {
    this.#check();
    const capacity = Math.min(READ_AHEAD, limit);
    try {
      yield* this.#db.iterator({ gte, lt }, { limit, capacity });
    } catch (error) {
      throw namedError(error, this.#directory);
    }
  }

  /**
   * Writes one batch, all or nothing, and calls `written` as soon as it can be read. Batches are
   * collected, written and reported one after the other, in the order of the calls. After a
   * failure every call rejects until the folder is opened again.
   */
  async write<T>(
    operations: number,
    collect: (batch: Batch) => T,
    written: (collected: T) => void,
  ): Promise<void> {
    this.#check();
    const turn = this.#queue.then(async () => {
      if (this.#failure !== null) throw this.#failure;
      try {
        if (this.#unflushedBytes >= ROTATE_BYTES) await this.#rotate();
        const native = this.#db.write({ capacity: Math.max(1, operations), autoDestroy: true });
        const batch = new Batch(native);
        const collected = collect(batch);
        this.#unflushedBytes += batch.bytes;
        await native.flush();
        written(collected);
      } catch (error) {
        throw this.#fail(error);
      }
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Makes every batch whose `write` has resolved survive a power loss. */
  async sync(): Promise<void> {
    this.#check();
    try {
      // Older logs were synced by `rotate`, which closes this one only when it is done here.
      await this.#wal.file.datasync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async sizeBytes(): Promise<number> {
    let total = 0;
    for (const name of await readdir(this.#directory)) {
      try {
        // Not the size: a log's place is taken in advance.
        total += 512 * (await stat(join(this.#directory, name))).blocks;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return total;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    await this.#flushing;
    if (this.#failure === null) await this.#wal.file.datasync();
    await this.#wal.file.close();
    await this.#db.close();
  }

  /**
   * Moves what is in memory into a table and begins a new write-ahead log, whose predecessor is
   * on disk to its last byte before the first one is written. Only the switch is waited for.
   */
  async #rotate(): Promise<void> {
    await this.#flushing;
    const old = this.#wal;
    if ((await this.#db.currentWalFile()).number !== old.number) {
      throw new Error('RocksDB has begun a write-ahead log by itself');
    }
    await old.file.datasync();
    let done = false;
    this.#flushing = this.#db.flush().then(
      () => {
        done = true;
      },
      (error) => {
        this.#fail(error);
      },
    );
    this.#unflushedBytes = 0;
    while (this.#failure === null && (await this.#db.currentWalFile()).number === old.number) {
      if (done) throw new Error('RocksDB flushed without beginning a new write-ahead log');
      await sleep(1);
    }
    if (this.#failure !== null) throw this.#failure;
    this.#wal = await openWal(this.#db, this.#directory);
    await old.file.close();
    await trimDiagnostics(this.#directory);
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closed) throw new LullError('log_closed', 'the state is closed');
  }

  #fail(error: unknown): Error {
    this.#failure ??= namedError(error, this.#directory);
    return this.#failure;
  }
}

async function loadLibrary(): Promise<typeof import('rocksdb-native')> {
  try {
    return await import('rocksdb-native');
  } catch (error) {
    const cause = (error as Error).cause;
    const reason = cause instanceof Error ? cause.message : (error as Error).message;
    throw new LullError('library_missing', `RocksDB can't be loaded: ${reason}`, {
      cause: error,
      ...(reason.includes('libatomic') ? {} : { hint: 'see the README for supported systems' }),
    });
  }
}

/** Opens the log that RocksDB writes to, and sees to it that its name survives a power loss. */
async function openWal(db: RocksDB, directory: string): Promise<Wal> {
  const { path, number } = await db.currentWalFile();
  const file = await open(join(directory, path), 'r+');
  await syncFolder(directory);
  return { number, file };
}

/** Makes the folder and sees to it that its name survives a power loss. */
async function makeFolder(directory: string): Promise<void> {
  const first = await mkdir(resolve(directory), { recursive: true });
  if (first === undefined) return;
  for (let made = resolve(directory); ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

async function syncFolder(directory: string): Promise<void> {
  // Windows has no such call, and needs none: NTFS keeps names in its journal.
  if (process.platform === 'win32') return;
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** RocksDB keeps a thousand files of its own diagnostics; the newest is enough. */
async function removeOldDiagnostics(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('LOG.old.')) await rm(join(directory, name), { force: true });
  }
}

/** RocksDB's diagnostics know no bound: the file is emptied under it, which leaves a hole. */
async function trimDiagnostics(directory: string): Promise<void> {
  const path = join(directory, 'LOG');
  if ((await stat(path)).blocks * 512 > DIAGNOSTICS_BYTES) await truncate(path);
}

const CAUSES: readonly (readonly [RegExp, ConstructorParameters<typeof LullError>[0], string])[] = [
  [/no space left|quota exceeded|ENOSPC|EDQUOT/i, 'disk_full', 'there is no space left for'],
  [/While lock file|lock hold by|lock held by/i, 'data_locked', 'another process uses'],
  [
    /permission denied|read-only file system|not a directory|not permitted|EACCES|EROFS|ENOTDIR|EPERM/i,
    'data_unwritable',
    "can't write to",
  ],
  [/corrupt|checksum mismatch|SST file is ahead/i, 'log_corrupt', 'damaged files in'],
];

function namedError(error: unknown, directory: string): Error {
  if (error instanceof LullError) return error;
  const text = reasons(error);
  for (const [pattern, code, what] of CAUSES) {
    if (pattern.test(text)) return new LullError(code, `${what} ${directory}`, { cause: error });
  }
  return new Error(`RocksDB in ${directory}: ${text}`, { cause: error });
}

/** The messages of an error, of its causes, and of the errors it gathers. */
function reasons(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const gathered = error instanceof AggregateError ? error.errors.filter(Boolean) : [];
  const causes = error.cause === undefined ? gathered : [...gathered, error.cause];
  return [code, error.message, ...causes.map(reasons)].join(' ');
}
