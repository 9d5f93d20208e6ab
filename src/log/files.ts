/** The file operations that the log is built on; a test puts a disk of its own in their place. */
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';

export interface LogFile {
  size(): Promise<number>;
  /** Fills `bytes` from `position` on; returns how many there were, fewer only at the end. */
  read(bytes: Uint8Array, position: number): Promise<number>;
  /** Writes all of it, or rejects; then a part may be written. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(lengthBytes: number): Promise<void>;
  /** Makes content and length survive a power loss (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Errors carry the system's code (`ENOSPC`, `ENOENT`, …), as Node's own do. */
export interface Files {
  /** Makes the folder with its parents, and their entries durable. */
  makeDirectory(path: string): Promise<void>;
  list(directory: string): Promise<string[]>;
  /** `create` makes the file, or empties it. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes created, renamed and removed entries survive a power loss. */
  syncDirectory(path: string): Promise<void>;
}

const FLAGS = { read: 'r', write: 'r+', create: 'w+' } as const;

export const systemFiles: Files = {
  async makeDirectory(path) {
    const first = await fs.mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; ; made = dirname(made)) {
      await this.syncDirectory(dirname(made));
      if (made === first || made === dirname(made)) return;
    }
  },
  list: (directory) => fs.readdir(directory),
  open: async (path, mode) => new SystemFile(await fs.open(path, FLAGS[mode])),
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.unlink(path),
  async syncDirectory(path) {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

class SystemFile implements LogFile {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(bytes: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#handle.read(
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const rest = bytes.length - done;
      done += (await this.#handle.write(bytes, done, rest, position + done)).bytesWritten;
    }
  }

  truncate(lengthBytes: number): Promise<void> {
    return this.#handle.truncate(lengthBytes);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The whole file; null when there is none. */
export async function readWhole(files: Files, path: string): Promise<Buffer | null> {
  let file: LogFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafeSlow(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Puts a file there whole or not at all, whatever happens; durable when it resolves. */
export async function writeWhole(
  files: Files,
  directory: string,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const draft = `${path}.tmp`;
  const file = await files.open(draft, 'create');
  try {
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(draft, path);
  await files.syncDirectory(directory);
}

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
