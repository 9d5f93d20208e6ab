/**
 * What a power loss leaves of a folder: a killed program's files, cut back to what it had synced.
 *
 *   const journal = join(folder, '..', 'syncs');
 *   const child = spawn(process.execPath, [...recordSyncs(journal), 'program.ts', folder]);
 *   …; child.kill('SIGKILL'); await once(child, 'exit');
 *   await losePower(folder, journal, { selfSynced, kept: () => 0 });
 *
 * Files are taken to grow at their end only, as logs do. Linux only: folders are told by /proc.
 */
import type { BigIntStats } from 'node:fs';
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A line of the journal: a file's length, or a folder's names, that are on disk from now on. */
export type SyncRecord =
  | { readonly id: string; readonly size: number }
  | { readonly id: string; readonly names: readonly string[] };

export interface PowerLoss {
  /** Files that are synced out of the journal's sight, by a native library: they stay whole. */
  readonly selfSynced: (path: string) => boolean;
  /** How many of a file's bytes that were written and not synced survive: 0 to all of them. */
  readonly kept: (unsyncedBytes: number, path: string) => number;
}

export interface Loss {
  /** Files that are gone, since their name or their content was never synced. */
  readonly removed: string[];
  /** Bytes cut off, by file. */
  readonly cut: Map<string, number>;
}

/** Tells a file from a later one that was given its inode. */
export function identity({ ino, birthtimeNs }: BigIntStats): string {
  return `${ino}-${birthtimeNs}`;
}

/** RocksDB syncs its tables and its manifest itself, and its write-ahead logs never. */
export function selfSyncedByRocksdb(path: string): boolean {
  return !/\/\d+\.log$/.test(path);
}

/** Arguments of Node that make a program keep the journal. */
export function recordSyncs(journal: string): string[] {
  return ['--import', recordSyncsModule(journal)];
}

/** What a program imports to keep the journal from then on. */
export function recordSyncsModule(journal: string): string {
  const module = pathToFileURL(join(import.meta.dirname, 'record-syncs.ts'));
  module.searchParams.set('journal', resolve(journal));
  return module.href;
}

/** How much of a file is on disk for sure. */
export async function syncedBytes(path: string, journal: string): Promise<number> {
  const { sizes } = await readJournal(journal);
  return sizes.get(identity(await stat(path, { bigint: true }))) ?? 0;
}

async function readJournal(journal: string) {
  const sizes = new Map<string, number>();
  const names = new Map<string, Set<string>>();
  for (const line of (await readFile(journal, 'utf8')).split('\n')) {
    if (line === '') continue;
    const record: SyncRecord = JSON.parse(line);
    if ('size' in record) sizes.set(record.id, record.size);
    else names.set(record.id, new Set(record.names));
  }
  return { sizes, names };
}

/** Cuts the folder back, and begins the journal again with what is left. */
export async function losePower(
  directory: string,
  journal: string,
  power: PowerLoss,
): Promise<Loss> {
  const { sizes, names } = await readJournal(journal);
  const loss: Loss = { removed: [], cut: new Map() };
  const left: SyncRecord[] = [];
  const visit = async (folder: string) => {
    const folderId = identity(await stat(folder, { bigint: true }));
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const entry = await stat(path, { bigint: true });
      const id = identity(entry);
      const synced = sizes.get(id);
      if (entry.isDirectory()) await visit(path);
      else if (power.selfSynced(path)) continue;
      else if (synced !== undefined && names.get(folderId)?.has(name)) {
        const unsynced = Number(entry.size) - synced;
        const size = synced + power.kept(unsynced, path);
        await truncate(path, size);
        if (size < entry.size) loss.cut.set(path, Number(entry.size) - size);
        left.push({ id, size });
      } else {
        await rm(path);
        loss.removed.push(path);
      }
    }
    left.push({ id: folderId, names: await readdir(folder) });
  };
  await visit(directory);
  await writeFile(journal, left.map((record) => `${JSON.stringify(record)}\n`).join(''));
  return loss;
}
