/** What a disk would hold of a folder after a power loss: what was synced, and any of the rest. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

const SECTOR_BYTES = 512;

export class SyncedCopy {
  readonly #directory: string;
  readonly #synced: string;

  /** All that is in the folder now counts as synced; `synced` is a folder to keep that in. */
  constructor(directory: string, synced: string) {
    this.#directory = directory;
    this.#synced = synced;
    cpSync(directory, synced, { recursive: true });
  }

  /** Notes that a file's content, or a folder's names, are on disk now. */
  sync(path: string): void {
    const copy = join(this.#synced, relative(this.#directory, path));
    if (statSync(path).isDirectory()) syncNames(path, copy);
    else copyFileSync(path, copy);
  }

  /** Writes a folder as it may be found after a power loss right now. */
  image(target: string, random: () => number): void {
    cpSync(this.#synced, target, { recursive: true });
    const kept = random();
    const names = new Set([...filesOf(this.#directory), ...filesOf(target)]);
    for (const name of names) {
      const now = join(this.#directory, name);
      const then = join(target, name);
      if (existsSync(now)) keepSome(now, then, () => random() < kept);
      else if (random() < kept) rmSync(then);
    }
  }
}

/** Folders keep the files that they name; of a file that was never synced nothing but its name. */
function syncNames(path: string, copy: string): void {
  const names = new Set(readdirSync(path));
  for (const name of readdirSync(copy)) {
    if (!names.has(name)) rmSync(join(copy, name), { recursive: true });
  }
  for (const name of names) {
    if (existsSync(join(copy, name))) continue;
    if (statSync(join(path, name)).isDirectory()) mkdirSync(join(copy, name));
    else writeFileSync(join(copy, name), '');
  }
}

/** Any of the sectors that were written since may have reached the disk, or none. */
function keepSome(now: string, then: string, keep: () => boolean): void {
  const newest = readFileSync(now);
  const old = existsSync(then) ? readFileSync(then) : null;
  if (old === null ? !keep() : newest.equals(old)) return;
  const size = keep() ? newest.length : (old?.length ?? 0);
  const found = Buffer.alloc(size);
  old?.copy(found);
  for (let at = 0; at < size; at += SECTOR_BYTES) {
    if (keep()) newest.copy(found, at, at, at + SECTOR_BYTES);
  }
  mkdirSync(dirname(then), { recursive: true });
  writeFileSync(then, found);
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}
