/**
 * JSON written straight into bytes: for millions of lines `JSON.stringify` is too slow. What is
 * always the same is copied as bytes, which takes no longer for a hundred than for one.
 */
import { utf8, writeUtf8 } from './hash.ts';

const DAY_MS = 86_400_000;

/** Bytes of a text that is JSON as it stands, all of it ASCII; for `raw`. */
export function jsonBytes(text: string): Uint8Array {
  return utf8(text);
}

export class JsonBytes {
  #bytes: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;
  /** The time that was written last, and its day. */
  readonly #time = jsonBytes('"1970-01-01T00:00:00.000Z"');
  #day = 0;

  /** It grows when more is written at a time. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Of what was written since the last time. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** What was written since the last time; it is the caller's, beside what is taken later. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  /** The same in a buffer that is the caller's alone, to be transferred. */
  takeBuffer(): Uint8Array<ArrayBuffer> {
    const taken = this.take();
    this.#bytes = new Uint8Array(this.#bytes.length);
    this.#start = this.#end = 0;
    return taken;
  }

  /** Any text as it stands. */
  append(text: string): void {
    this.#need(text.length * 3);
    this.#end = writeUtf8(text, this.#bytes, this.#end);
  }

  raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    const to = this.#bytes;
    let end = this.#end;
    for (let index = 0; index < bytes.length; index++) to[end++] = bytes[index]!;
    this.#end = end;
  }

  /** A string, or `null`. */
  text(text: string | null): void {
    if (text === null) return this.raw(NULL);
    this.#need(text.length + 2);
    const bytes = this.#bytes;
    let at = this.#end;
    bytes[at++] = QUOTE;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) {
        return this.append(JSON.stringify(text));
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#end = at;
  }

  number(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 999_999_999) {
      return this.append(String(value));
    }
    this.#need(9);
    let digits = 1;
    for (let bound = 10; value >= bound; bound *= 10) digits++;
    for (let at = this.#end + digits - 1, rest = value; at >= this.#end; at--) {
      const tenth = (rest / 10) | 0;
      this.#bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#end += digits;
  }

  boolean(value: boolean): void {
    this.raw(value ? TRUE : FALSE);
  }

  /** ISO 8601 UTC with milliseconds, as a string; `null` when it is infinite. */
  time(time: number): void {
    if (!Number.isFinite(time)) return this.raw(NULL);
    const day = Math.floor(time / DAY_MS);
    if (day !== this.#day) {
      this.#time.set(utf8(new Date(day * DAY_MS).toISOString()), 1);
      this.#day = day;
    }
    const rest = time - day * DAY_MS;
    const second = (rest / 1000) | 0;
    const minute = (second / 60) | 0;
    const hour = (minute / 60) | 0;
    const millisecond = rest - second * 1000;
    const hundreds = (millisecond / 100) | 0;
    this.#twoDigits(12, hour);
    this.#twoDigits(15, minute - hour * 60);
    this.#twoDigits(18, second - minute * 60);
    this.#time[21] = ZERO + hundreds;
    this.#twoDigits(22, millisecond - hundreds * 100);
    this.raw(this.#time);
  }

  /** Room for so many more bytes; what was taken stays where it is. */
  #need(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const begun = this.#bytes.subarray(this.#start, this.#end);
    this.#bytes = new Uint8Array(Math.max(this.#bytes.length, 2 * (begun.length + count)));
    this.#bytes.set(begun);
    this.#start = 0;
    this.#end = begun.length;
  }

  #twoDigits(at: number, value: number): void {
    const tens = (value / 10) | 0;
    this.#time[at] = ZERO + tens;
    this.#time[at + 1] = ZERO + value - tens * 10;
  }
}

const NULL = jsonBytes('null');
const TRUE = jsonBytes('true');
const FALSE = jsonBytes('false');
const SPACE = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
