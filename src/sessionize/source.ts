/** Where bytes come from: a file or standard input, plain or gzipped. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { LullError } from '../errors.ts';

export interface Source {
  /** As the user named it; `-` is standard input. */
  readonly name: string;
  /** Bytes on disk; null when they can't be known. */
  readonly sizeBytes: number | null;
  /** Bytes taken so far, as they lie on disk. */
  readonly takenBytes: number;
  /** Puts bytes at the start of `into` and says how many, at least one; 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

export async function openSource(name: string, stdin: Readable): Promise<Source> {
  if (name === '-') return openStream(name, stdin, null);
  try {
    const handle = await open(name);
    const stats = await handle.stat();
    if (stats.isFile()) {
      const magic = new Uint8Array(2);
      await handle.read(magic, 0, 2, 0);
      if (!isGzip(magic)) return new FileSource(name, stats.size, handle);
    }
    await handle.close();
    const stream = createReadStream(name, { highWaterMark: 1 << 18 });
    return await openStream(name, stream, stats.isFile() ? stats.size : null);
  } catch (error) {
    throw unreadable(name, error);
  }
}

class FileSource implements Source {
  readonly name: string;
  readonly sizeBytes: number;
  takenBytes = 0;
  readonly #handle: FileHandle;

  constructor(name: string, sizeBytes: number, handle: FileHandle) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.#handle = handle;
  }

  async read(into: Uint8Array): Promise<number> {
    try {
      const { bytesRead } = await this.#handle.read(into, 0, into.length, this.takenBytes);
      this.takenBytes += bytesRead;
      return bytesRead;
    } catch (error) {
      throw unreadable(this.name, error);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function openStream(
  name: string,
  stream: Readable,
  sizeBytes: number | null,
): Promise<Source> {
  const taken = { bytes: 0 };
  const chunks = countBytes(stream, taken);
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const whole = Readable.from(startingWith(head, chunks), { objectMode: false });
  const plain = isGzip(head) ? whole.pipe(createGunzip({ chunkSize: 1 << 18 })) : whole;
  // `pipe` doesn't hand errors on.
  if (plain !== whole) whole.on('error', (error) => plain.destroy(error));
  return new StreamSource(name, sizeBytes, plain, taken);
}

class StreamSource implements Source {
  readonly name: string;
  readonly sizeBytes: number | null;
  readonly #taken: { bytes: number };
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** What was received and not yet read. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(name: string, sizeBytes: number | null, stream: Readable, taken: { bytes: number }) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.#stream = stream;
    this.#taken = taken;
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  get takenBytes(): number {
    return this.#taken.bytes;
  }

  async read(into: Uint8Array): Promise<number> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next().catch((error: unknown) => {
        throw unreadable(this.name, error);
      });
      if (next.done === true) return 0;
      this.#rest = next.value;
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async close(): Promise<void> {
    this.#stream.destroy();
  }
}

async function* countBytes(
  stream: Readable,
  taken: { bytes: number },
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of stream) {
    taken.bytes += (chunk as Uint8Array).length;
    yield chunk as Uint8Array;
  }
}

async function* startingWith(
  head: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  if (head.length > 0) yield head;
  yield* rest;
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

export function unreadable(name: string, cause: unknown): LullError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const file = name === '-' ? 'standard input' : name;
  if (code.startsWith('Z_')) {
    return new LullError(
      'input_unreadable',
      `${file} is damaged: its gzip data can't be unpacked`,
      {
        cause,
      },
    );
  }
  return new LullError('input_unreadable', `${file} can't be read: ${REASONS[code] ?? code}`, {
    cause,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};
