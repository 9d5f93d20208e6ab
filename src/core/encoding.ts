/** Compact binary encoding: variable-length integers, and common texts of a record once. */
import { writeUtf8 } from './hash.ts';

/** Of the first block, and of the largest: a freeze of a few users must not cost a large one. */
const FIRST_BLOCK_BYTES = 8 * 1024;
const LARGEST_BLOCK_BYTES = 256 * 1024;
const SAFE = 2n ** 51n;
/**
 * Only the first texts of a record are referred to again: types and devices, which come back with
 * every event, are among them, and looking through many costs more than writing a page twice.
 */
const KNOWN_TEXTS = 8;

/**
 * Writes records one after the other into shared blocks; what `finish` returns is never written
 * again. One writer serves one freeze.
 */
export class RecordWriter {
  #bytes = new Uint8Array(FIRST_BLOCK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #start = 0;
  #at = 0;
  /** The first texts written in this record, by the order in which they came. */
  #texts: string[] = [];

  byte(value: number): void {
    this.#need(1);
    this.#bytes[this.#at++] = value;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte. */
  varint(value: number): void {
    this.#need(8);
    let rest = value;
    while (rest >= 0x80000000) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A whole number of either sign, below 2^52. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  float(value: number): void {
    this.#need(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  bigint(value: bigint): void {
    // Almost all fit into a number, which is several times faster to write.
    if (value > -SAFE && value < SAFE) {
      this.byte(0);
      this.signed(Number(value));
      return;
    }
    const negative = value < 0n;
    let rest = negative ? -value : value;
    const bytes: number[] = [];
    while (rest > 0n) {
      bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    }
    this.byte(bytes.length * 2 + (negative ? 1 : 0));
    for (const byte of bytes) this.byte(byte);
  }

  /** A text or null: 0 is null, 1 a new text, more is one that was written before. */
  text(value: string | null): void {
    if (value === null) {
      this.byte(0);
      return;
    }
    const known = this.#texts.indexOf(value);
    if (known >= 0) {
      this.varint(known + 2);
      return;
    }
    if (this.#texts.length < KNOWN_TEXTS) this.#texts.push(value);
    this.byte(1);
    // The length comes first, and three bytes a UTF-16 unit are the most it can take.
    this.#need(value.length * 3 + 3);
    const lengthAt = this.#at;
    const start = lengthAt + (value.length < 43 ? 1 : 3);
    const end = writeUtf8(value, this.#bytes, start);
    this.#at = lengthAt;
    const length = end - start;
    if (start - lengthAt === 1) this.#bytes[this.#at] = length;
    else {
      this.#bytes[this.#at] = (length & 0x7f) | 0x80;
      this.#bytes[this.#at + 1] = ((length >> 7) & 0x7f) | 0x80;
      this.#bytes[this.#at + 2] = length >> 14;
    }
    this.#at = end;
  }

  /** Bytes as they stand. */
  raw(bytes: Uint8Array, start: number, length: number): void {
    this.#need(length);
    const to = this.#bytes;
    let at = this.#at;
    for (let index = start; index < start + length; index++) to[at++] = bytes[index]!;
    this.#at = at;
  }

  finish(): Uint8Array {
    const record = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    this.#texts = [];
    return record;
  }

  #need(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const begun = this.#bytes.subarray(this.#start, this.#at);
    const next = Math.min(2 * this.#bytes.length, LARGEST_BLOCK_BYTES);
    const bytes = new Uint8Array(Math.max(next, 2 * (begun.length + count)));
    bytes.set(begun);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#at = begun.length;
    this.#start = 0;
  }
}

/** Reads what a RecordWriter wrote; throws RangeError on a record that is cut short. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #texts: string[] = [];
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.#view.getUint8(this.#at++);
  }

  varint(): number {
    let value = 0;
    let weight = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
      weight *= 128;
    }
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  float(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  bigint(): bigint {
    const head = this.byte();
    if (head === 0) return BigInt(this.signed());
    let value = 0n;
    for (let index = 0; index < head >> 1; index++) {
      value |= BigInt(this.byte()) << BigInt(8 * index);
    }
    return head % 2 === 1 ? -value : value;
  }

  /** Passes so many bytes and returns where they begin. */
  skip(length: number): number {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('record is cut short');
    return start;
  }

  text(): string | null {
    const head = this.varint();
    if (head === 0) return null;
    if (head > 1) return this.#texts[head - 2]!;
    const length = this.varint();
    const text = readUtf8(this.#bytes, this.#at, length);
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('record is cut short');
    if (this.#texts.length < KNOWN_TEXTS) this.#texts.push(text);
    return text;
  }
}

/** The text of `length` UTF-8 bytes at `at`; they were written by `writeUtf8`, so are valid. */
export function readUtf8(bytes: Uint8Array, at: number, length: number): string {
  const end = at + length;
  let text = '';
  let units: number[] = [];
  let index = at;
  while (index < end) {
    const byte = bytes[index++]!;
    if (byte < 0x80) units.push(byte);
    else if (byte < 0xe0) units.push(((byte & 0x1f) << 6) | (bytes[index++]! & 0x3f));
    else {
      const middle = bytes[index++]! & 0x3f;
      const last = bytes[index++]! & 0x3f;
      if (byte < 0xf0) units.push(((byte & 0x0f) << 12) | (middle << 6) | last);
      else {
        const high = ((byte & 0x07) << 18) | (middle << 12) | (last << 6);
        const pair = (high | (bytes[index++]! & 0x3f)) - 0x10000;
        units.push(0xd800 + (pair >> 10), 0xdc00 + (pair & 0x3ff));
      }
    }
    if (units.length < UNITS_AT_ONCE) continue;
    text += String.fromCharCode(...units);
    units = [];
  }
  return text + String.fromCharCode(...units);
}

/** A call can't take any number of arguments. */
const UNITS_AT_ONCE = 1024;
