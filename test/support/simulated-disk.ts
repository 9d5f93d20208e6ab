/** A disk in memory that forgets what was not synced when its power is cut, and fails on demand. */
import { dirname } from 'node:path';
import type { Files, LogFile } from '../../src/log/files.ts';

const SECTOR_BYTES = 512;

export type DiskOperation =
  | 'list'
  | 'open'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'syncDirectory';

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };
type Entries = Map<string, DiskFile>;

class DiskFile {
  readonly content = new Content();
  readonly synced = new Content();
  #unsynced: Change[] = [];

  change(change: Change): void {
    this.content.apply(change);
    this.#unsynced.push(change);
  }

  sync(): void {
    for (const change of this.#unsynced) this.synced.apply(change);
    this.#unsynced = [];
  }

  /** Of what was not synced, any part may have reached the disk: here, any sectors. */
  losePower(random: () => number): void {
    const kept = random();
    for (const change of this.#unsynced.flatMap(sectors)) {
      if (random() < kept) this.synced.apply(change);
    }
    this.#unsynced = [];
    this.content.apply({ length: 0 });
    this.content.apply({ at: 0, bytes: this.synced.bytes });
  }
}

/** The bytes of a file, with room to grow. */
class Content {
  bytes = Buffer.alloc(0);

  apply(change: Change): void {
    const { length } = this.bytes;
    if ('length' in change) {
      this.#resize(change.length);
      return;
    }
    this.#resize(Math.max(length, change.at + change.bytes.length));
    this.bytes.set(change.bytes, change.at);
  }

  #resize(length: number): void {
    const old = this.bytes;
    const { buffer } = old;
    this.bytes =
      length <= buffer.byteLength
        ? Buffer.from(buffer, 0, length)
        : Buffer.from(new ArrayBuffer(length * 2), 0, length);
    if (this.bytes.buffer !== buffer) this.bytes.set(old);
    else if (length > old.length) this.bytes.fill(0, old.length);
  }
}

function sectors(change: Change): Change[] {
  if ('length' in change) return [change];
  const { at, bytes } = change;
  const parts: Change[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES));
    parts.push({ at: at + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}

/**
 * Folders are made at once and for good; entries of files are durable after `syncDirectory`. Each
 * `mount` belongs to one process: it ends with `kill` (nothing is lost) or `cutPower`.
 */
export class SimulatedDisk {
  /** Writes beyond it fail with ENOSPC, when a part is written. */
  capacityBytes = Infinity;
  /** Asked before each operation: the code to fail with, or null. */
  fail: (operation: DiskOperation, path: string) => string | null = () => null;
  /** Operations so far. */
  operations = 0;
  readonly #random: () => number;
  #entries: Entries = new Map();
  #syncedEntries: Entries = new Map();
  #unsyncedEntries: { directory: string; apply: (entries: Entries) => void }[] = [];
  #process = 0;
  #cutAfter = Infinity;

  /** `random` decides what survives a power loss. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The disk as one process sees it. */
  mount(): Files {
    this.#cutAfter = Infinity;
    return new Mount(this, ++this.#process);
  }

  /** The process is gone; what it wrote stays, though not for certain on the disk. */
  kill(): void {
    this.#process++;
  }

  cutPower(): void {
    this.#process++;
    const kept = this.#random();
    for (const { apply } of this.#unsyncedEntries) {
      if (this.#random() < kept) apply(this.#syncedEntries);
    }
    this.#unsyncedEntries = [];
    this.#entries = new Map(this.#syncedEntries);
    for (const file of this.#entries.values()) file.losePower(this.#random);
  }

  /** Cuts the power in the operation after so many more. */
  cutPowerAfter(operations: number): void {
    this.#cutAfter = this.operations + operations;
  }

  paths(): string[] {
    return [...this.#entries.keys()].sort();
  }

  content(path: string): Buffer {
    return Buffer.from(this.#file(path).content.bytes);
  }

  /** Puts other content there, synced. */
  replace(path: string, content: Buffer): void {
    const file = this.#file(path);
    file.change({ length: 0 });
    file.change({ at: 0, bytes: Buffer.from(content) });
    file.sync();
  }

  /** The same files, all synced. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk(this.#random);
    for (const [path, { content }] of this.#entries) {
      const file = new DiskFile();
      file.change({ at: 0, bytes: content.bytes });
      file.sync();
      copy.#entries.set(path, file);
      copy.#syncedEntries.set(path, file);
    }
    return copy;
  }

  /** Lets other calls run, and then the operation, unless the process or the power is gone. */
  async run<T>(
    process: number,
    operation: DiskOperation,
    path: string,
    work: () => T,
    torn?: () => void,
  ): Promise<T> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (process !== this.#process) throw failure('EIO', 'the process is gone');
    this.operations++;
    if (this.operations > this.#cutAfter) {
      torn?.();
      this.cutPower();
      throw failure('EIO', 'the power is gone');
    }
    const code = this.fail(operation, path);
    if (code !== null) throw failure(code, `${operation} ${path}`);
    return work();
  }

  list(directory: string): string[] {
    const own = this.paths().filter((path) => dirname(path) === directory);
    return own.map((path) => path.slice(directory.length + 1));
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    if (mode !== 'create') return this.#file(path);
    const found = this.#entries.get(path);
    found?.change({ length: 0 });
    const file = found ?? new DiskFile();
    if (found === undefined) this.#change(path, (entries) => entries.set(path, file));
    return file;
  }

  rename(from: string, to: string): void {
    const file = this.#file(from);
    this.#change(from, (entries) => entries.set(to, file).delete(from));
  }

  remove(path: string): void {
    this.#file(path);
    this.#change(path, (entries) => entries.delete(path));
  }

  syncDirectory(directory: string): void {
    const isOwn = (change: { directory: string }) => change.directory === directory;
    for (const { apply } of this.#unsyncedEntries.filter(isOwn)) apply(this.#syncedEntries);
    this.#unsyncedEntries = this.#unsyncedEntries.filter((change) => !isOwn(change));
  }

  /** As much of the bytes as there is room for. */
  write(file: DiskFile, bytes: Uint8Array, at: number): void {
    let used = 0;
    for (const { content } of this.#entries.values()) used += content.bytes.length;
    const grows = at + bytes.length - file.content.bytes.length;
    const beyond = Math.max(0, Math.min(grows, used + grows - this.capacityBytes));
    const fitting = Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - beyond)));
    file.change({ at, bytes: fitting });
    if (fitting.length < bytes.length) throw failure('ENOSPC', 'no space left');
  }

  #file(path: string): DiskFile {
    const file = this.#entries.get(path);
    if (file === undefined) throw failure('ENOENT', path);
    return file;
  }

  #change(path: string, apply: (entries: Entries) => void): void {
    apply(this.#entries);
    this.#unsyncedEntries.push({ directory: dirname(path), apply });
  }
}

class Mount implements Files {
  readonly #disk: SimulatedDisk;
  readonly #process: number;

  constructor(disk: SimulatedDisk, process: number) {
    this.#disk = disk;
    this.#process = process;
  }

  async makeDirectory(): Promise<void> {}

  list(directory: string): Promise<string[]> {
    return this.#run('list', directory, () => this.#disk.list(directory));
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile> {
    const file = await this.#run('open', path, () => this.#disk.open(path, mode));
    const write = (bytes: Uint8Array, at: number) => this.#disk.write(file, bytes, at);
    return {
      size: async () => file.content.bytes.length,
      read: (bytes, position) =>
        this.#run('read', path, () => file.content.bytes.copy(bytes, 0, position)),
      write: (bytes, position) =>
        this.#run(
          'write',
          path,
          () => write(bytes, position),
          () => write(bytes, position),
        ),
      truncate: (length) => this.#run('truncate', path, () => file.change({ length })),
      sync: () => this.#run('sync', path, () => file.sync()),
      close: async () => {},
    };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run('rename', from, () => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#run('remove', path, () => this.#disk.remove(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#run('syncDirectory', path, () => this.#disk.syncDirectory(path));
  }

  #run<T>(operation: DiskOperation, path: string, work: () => T, torn?: () => void): Promise<T> {
    return this.#disk.run(this.#process, operation, path, work, torn);
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
