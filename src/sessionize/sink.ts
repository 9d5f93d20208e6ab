/** Where lines go: standard output, or a file that appears under its name when it is whole. */
import { createWriteStream, rmSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { LullError } from '../errors.ts';

export class Sink {
  readonly #name: string;
  /** What is written to, and where it ends: they differ when it is compressed on the way. */
  readonly #first: Writable;
  readonly #last: Writable;
  /** Of a file that gets its name at the end; null for what is written in place. */
  readonly #partialPath: string | null;
  readonly #unwatch: () => void;
  readonly #failure: Promise<never>;
  /** Nobody reads any more. */
  #deaf = false;

  constructor(name: string, first: Writable, last: Writable, partialPath: string | null) {
    this.#name = name;
    this.#first = first;
    this.#last = last;
    this.#partialPath = partialPath;
    this.#unwatch = partialPath === null ? () => {} : removeOnSignals(partialPath);
    this.#failure = new Promise((_, reject) => last.on('error', reject));
    this.#failure.catch(() => {});
  }

  static standardOutput(stdout: Writable): Sink {
    return new Sink(STANDARD_OUTPUT, stdout, stdout, null);
  }

  /** Compresses when the name ends in `.gz`. */
  static file(file: string): Sink {
    const inPlace = isSpecial(file);
    const path = inPlace ? file : `${file}.partial`;
    const last = createWriteStream(path);
    const first = file.toLowerCase().endsWith('.gz') ? createGzip({ level: 3 }) : last;
    if (first !== last) first.pipe(last);
    return new Sink(file, first, last, inPlace ? null : path);
  }

  /**
   * Takes the bytes over. Resolves when more may come; false when nobody reads any more, so that
   * the rest need not be made.
   */
  async write(data: Uint8Array | string): Promise<boolean> {
    if (this.#deaf) return false;
    const written = new Promise<void>((resolve, reject) => {
      this.#first.write(data, (error) => (error ? reject(error) : resolve()));
    });
    try {
      await Promise.race([written, this.#failure]);
      return true;
    } catch (error) {
      written.catch(() => {});
      this.#deaf = (error as NodeJS.ErrnoException).code === 'EPIPE';
      if (this.#deaf) return false;
      throw this.#failed(error);
    }
  }

  /** Resolves when everything is written. */
  async end(): Promise<void> {
    if (this.#name === STANDARD_OUTPUT) return;
    try {
      this.#first.end();
      await finished(this.#last);
      if (this.#partialPath !== null) await rename(this.#partialPath, this.#name);
      this.#unwatch();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Gives up: a file goes away. */
  async abort(): Promise<void> {
    if (this.#partialPath === null) return;
    this.#first.destroy();
    this.#last.destroy();
    await rm(this.#partialPath, { force: true });
    this.#unwatch();
  }

  #failed(cause: unknown): LullError {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const hint = 'free some space, or choose another place with --out';
      return new LullError('disk_full', `no space is left for ${this.#name}`, { cause, hint });
    }
    return new LullError('output_unwritable', `${this.#name} can't be written: ${code}`, { cause });
  }
}

/** Whether it is there and no regular file (a pipe, a device), so that nothing can replace it. */
function isSpecial(file: string): boolean {
  try {
    return !statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Sees to it that no half file stays when the process is stopped; returns how to undo that. */
function removeOnSignals(path: string): () => void {
  const remove = (signal: NodeJS.Signals) => {
    rmSync(path, { force: true });
    undo();
    process.kill(process.pid, signal);
  };
  const undo = () => {
    for (const signal of SIGNALS) process.off(signal, remove);
  };
  for (const signal of SIGNALS) process.on(signal, remove);
  return undo;
}

const STANDARD_OUTPUT = 'standard output';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Gathers small pieces into large writes. */
export class Gatherer {
  readonly #sink: Sink;
  #bytes = new Uint8Array(GATHERED_BYTES);
  #length = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** As `Sink.write`. */
  async write(piece: Uint8Array): Promise<boolean> {
    if (this.#length + piece.length > GATHERED_BYTES && !(await this.flush())) return false;
    if (piece.length > GATHERED_BYTES) return this.#sink.write(piece);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
    return true;
  }

  async flush(): Promise<boolean> {
    if (this.#length === 0) return true;
    const gathered = this.#bytes.subarray(0, this.#length);
    // The stream may hold on to what it was given.
    this.#bytes = new Uint8Array(GATHERED_BYTES);
    this.#length = 0;
    return this.#sink.write(gathered);
  }
}

const GATHERED_BYTES = 1 << 20;
