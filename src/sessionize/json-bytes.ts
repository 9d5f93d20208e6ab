/**
 * JSON written straight into bytes: for millions of lines `JSON.stringify` is too slow. What is
 * always the same is copied as bytes, which takes no longer for a hundred than for one.
 */

const DAY_MS = 86_400_000;

/** Bytes of a text that is JSON as it stands, all of it ASCII; for `raw`. */
export function jsonBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export class JsonBytes {
  #bytes: Buffer<ArrayBuffer>;
  #length = 0;
  /** The time that was written last, and its day. */
  readonly #time = jsonBytes('"1970-01-01T00:00:00.000Z"');
  #day = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written since the last time; it is the caller's. */
  take(): Buffer<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafeSlow(this.#bytes.length);
    this.#length = 0;
    return taken;
  }

  /** Any text as it stands. */
  append(text: string): void {
    this.#length += this.#bytes.write(text, this.#length);
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A string, or `null`. */
  text(text: string | null): void {
    if (text === null) return this.raw(NULL);
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
      return this.append(String(value));
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
    this.raw(value ? TRUE : FALSE);
  }

  /** ISO 8601 UTC with milliseconds, as a string; `null` when it is infinite. */
  time(time: number): void {
    if (!Number.isFinite(time)) return this.raw(NULL);
    const day = Math.floor(time / DAY_MS);
    if (day !== this.#day) {
      this.#time.set(Buffer.from(new Date(day * DAY_MS).toISOString()), 1);
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
