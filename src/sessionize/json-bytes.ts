/** JSON written straight into bytes: for millions of lines `JSON.stringify` is too slow. */

const DAY_MS = 86_400_000;

export class JsonBytes {
  #bytes: Buffer<ArrayBuffer>;
  #length = 0;
  /** The date that was written last, `2026-11-23T`, and its day. */
  readonly #date = Buffer.alloc(11);
  #day = Number.NaN;

  constructor(capacity: number) {
    this.#bytes = Buffer.alloc(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written since the last time; it is the caller's. */
  take(): Buffer<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(this.#bytes.length);
    this.#length = 0;
    return taken;
  }

  /** Any text as it stands. */
  append(text: string): void {
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Text that is JSON as it stands, all of it ASCII. */
  raw(text: string): void {
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** A string, or `null`. */
  text(text: string | null): void {
    if (text === null) return this.raw('null');
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) {
        return this.append(JSON.stringify(text));
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#length = at;
  }

  number(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 999_999_999) {
      return this.raw(String(value));
    }
    let digits = 1;
    for (let bound = 10; value >= bound; bound *= 10) digits++;
    for (let at = this.#length + digits - 1, rest = value; at >= this.#length; at--) {
      const tenth = (rest / 10) | 0;
      this.#bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += digits;
  }

  boolean(value: boolean): void {
    this.raw(value ? 'true' : 'false');
  }

  /** ISO 8601 UTC with milliseconds, as a string; `null` when it is infinite. */
  time(time: number): void {
    if (!Number.isFinite(time)) return this.raw('null');
    const day = Math.floor(time / DAY_MS);
    if (day !== this.#day) {
      this.#date.write(new Date(day * DAY_MS).toISOString());
      this.#day = day;
    }
    const bytes = this.#bytes;
    bytes[this.#length] = QUOTE;
    for (let index = 0; index < 11; index++) bytes[this.#length + 1 + index] = this.#date[index]!;
    const rest = time - day * DAY_MS;
    const second = (rest / 1000) | 0;
    const minute = (second / 60) | 0;
    const hour = (minute / 60) | 0;
    const at = this.#length + 12;
    this.#twoDigits(at, hour);
    bytes[at + 2] = COLON;
    this.#twoDigits(at + 3, minute - hour * 60);
    bytes[at + 5] = COLON;
    this.#twoDigits(at + 6, second - minute * 60);
    bytes[at + 8] = POINT;
    const millisecond = rest - second * 1000;
    const hundreds = (millisecond / 100) | 0;
    bytes[at + 9] = ZERO + hundreds;
    this.#twoDigits(at + 10, millisecond - hundreds * 100);
    bytes[at + 12] = UPPER_Z;
    bytes[at + 13] = QUOTE;
    this.#length = at + 14;
  }

  #twoDigits(at: number, value: number): void {
    const tens = (value / 10) | 0;
    this.#bytes[at] = ZERO + tens;
    this.#bytes[at + 1] = ZERO + value - tens * 10;
  }
}

const SPACE = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const COLON = 0x3a;
const POINT = 0x2e;
const UPPER_Z = 0x5a;
