/** PGlite's files in a folder, synced when PostgreSQL asks for it. */
import { fsyncSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** The parts of Emscripten's module that are needed here; PGlite doesn't type them. */
interface EmscriptenModule {
  readonly NODEFS: { stream_ops: { fsync?: (stream: { readonly nfd: number }) => number } };
}

interface EmscriptenOptions {
  readonly preRun?: readonly ((module: EmscriptenModule) => void)[];
}

/**
 * Emscripten's NODEFS has no fsync of its own, so that PostgreSQL's would do nothing. With this one
 * each fsync(2) of PostgreSQL, of files and folders alike, is one of the operating system.
 * fdatasync(2) never gets here: run with wal_sync_method=fsync.
 */
export class SyncedFiles extends NodeFS {
  override async init(
    pg: PGlite,
    options: Parameters<NodeFS['init']>[1],
  ): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(pg, options);
    const given = emscriptenOpts as unknown as EmscriptenOptions;
    const withSync: EmscriptenOptions = {
      ...given,
      preRun: [
        ...(given.preRun ?? []),
        (module) => {
          module.NODEFS.stream_ops.fsync = (stream) => {
            fsyncSync(stream.nfd);
            return 0;
          };
        },
      ],
    };
    return { emscriptenOpts: withSync as unknown as typeof emscriptenOpts };
  }
}

/** Syncs every file and folder below a folder, and itself. */
export async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  // At once: the file system then writes its journal a few times instead of a thousand.
  await Promise.all(entries.map((entry) => syncPath(join(entry.parentPath, entry.name))));
  await syncPath(directory);
}

export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
