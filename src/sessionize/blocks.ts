/** Cuts a source into blocks that begin and end between two rows, in bounded memory. */
import { asBuffer, LF } from './row.ts';
import type { Source } from './source.ts';

/** Longest row; a longer one is rejected. */
export const MAX_ROW_BYTES = 1 << 20;
/** Bytes read at a time: several of the longest rows. */
export const BLOCK_BYTES = 4 << 20;

/** Bytes read at a time by who wants rows as they come. */
const STEP_BYTES = 1 << 18;

/**
 * Where the last whole row in `bytes[0, length)` ends; 0 when there is none. `atEnd`: nothing
 * follows, and the last byte is a line feed.
 */
export type EndOfRows = (bytes: Uint8Array, length: number, atEnd: boolean) => number;

/** Whole rows in `bytes[0, end)`; or, if `tooLong`, the beginning of a line that was skipped. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly tooLong: boolean;
}

export const endOfLines: EndOfRows = (bytes, length) =>
  asBuffer(bytes).subarray(0, length).lastIndexOf(LF) + 1;

export class BlockCutter {
  readonly #source: Source;
  /** What followed the last row of the block before. */
  #rest: Uint8Array = new Uint8Array(0);
  #atEnd = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** The first bytes of the source, two lines at least if it has them; they are read again. */
  async peek(maxBytes: number): Promise<Uint8Array> {
    const head = new Uint8Array(maxBytes + 1);
    let length = 0;
    while (!this.#atEnd && length < maxBytes && countLines(head.subarray(0, length)) < 2) {
      length = await this.#readOnce(head.subarray(0, maxBytes), length);
    }
    if (this.#atEnd) length = this.#endLine(head, length);
    this.#rest = head.subarray(0, length);
    return this.#rest;
  }

  /** Leaves out the first of the bytes that `peek` showed. */
  skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
  }

  /**
   * Puts the next block into `bytes`, which must hold more than the longest row; null at the end.
   * `whole`: waits until it is full, else gives what has come as soon as that holds a row.
   */
  async next(bytes: Uint8Array, endOfRows: EndOfRows, whole: boolean): Promise<Block | null> {
    bytes.set(this.#rest);
    let length = this.#rest.length;
    // A byte is left for the line feed that the last row may lack.
    const room = bytes.subarray(0, bytes.length - 1);
    for (;;) {
      const step = whole ? room : room.subarray(0, length + STEP_BYTES);
      do length = await this.#readOnce(step, length);
      while (whole && !this.#atEnd && length < room.length);
      if (this.#atEnd) length = this.#endLine(bytes, length);
      const end = endOfRows(bytes, length, this.#atEnd);
      if (end > 0) {
        this.#rest = bytes.slice(end, length);
        return { bytes, end, tooLong: false };
      }
      if (this.#atEnd) return null;
      if (length === room.length) {
        await this.#skipLine();
        return { bytes, end: length, tooLong: true };
      }
    }
  }

  /** Writes the line feed that the last line may lack; there is room for it. */
  #endLine(bytes: Uint8Array, length: number): number {
    if (length === 0 || bytes[length - 1] === LF) return length;
    bytes[length] = LF;
    return length + 1;
  }

  async #skipLine(): Promise<void> {
    const scratch = new Uint8Array(1 << 16);
    this.#rest = new Uint8Array(0);
    while (!this.#atEnd) {
      const length = await this.#readOnce(scratch, 0);
      const lineFeed = scratch.subarray(0, length).indexOf(LF);
      if (lineFeed < 0) continue;
      this.#rest = scratch.subarray(lineFeed + 1, length);
      return;
    }
  }

  async #readOnce(bytes: Uint8Array, length: number): Promise<number> {
    if (this.#atEnd || length === bytes.length) return length;
    const count = await this.#source.read(bytes.subarray(length));
    if (count === 0) this.#atEnd = true;
    return length + count;
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === LF) lines++;
  return lines;
}
