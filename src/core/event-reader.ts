/**
 * A client's JSON straight to a packed event, without a string on the way. What it reads it reads
 * exactly as `JSON.parse`, `decodeEvent` and `packEvent` would; it gives up on what is unusual.
 */
import { MAX_ID_BYTES, MAX_TEXT_CHARS, MAX_TYPE_CHARS } from './event.ts';
import { hash53Ascii } from './hash.ts';
import { JsonScanner, type Spans } from './json-scanner.ts';
import {
  countsMoney,
  packAscii,
  packHead,
  packMicros,
  packTail,
  TYPE_AT,
  WITH_AMOUNT,
  WITH_ORIGIN,
} from './packed-event.ts';
import { parseIsoTime } from './time.ts';

const USER = 0;
const TYPE = 1;
const TIME = 2;
const ID = 3;
const AMOUNT = 4;
const CURRENCY = 5;
/** From here on: text that counts as absent when it is anything else. */
const PAGE = 6;
const DEVICE = 7;
const REFERRER = 8;
const UTM_CAMPAIGN = 11;

const PATHS = [
  ['userId'],
  ['eventType'],
  ['timestamp'],
  ['eventId'],
  ['amount'],
  ['currency'],
  ['page'],
  ['device'],
  ['referrer'],
  ['utm', 'source'],
  ['utm', 'medium'],
  ['utm', 'campaign'],
];

const QUOTE = 0x22;
const POINT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;
/** `2026-11-23T10:` */
const HOUR_CHARS = 14;
const ISO_CHARS = '2026-11-23T10:00:00.000Z'.length;

export class EventReader {
  /** Where the user's id lies in the event that was read last; it is all ASCII. */
  userStart = 0;
  userEnd = 0;
  readonly #scanner = new JsonScanner(PATHS, PAGE);
  readonly #spans: Spans = {
    starts: new Int32Array(PATHS.length),
    ends: new Int32Array(PATHS.length),
  };
  #bytes: Uint8Array = new Uint8Array(0);
  /** The hour of the last time: most events lie in that of the one before. */
  readonly #hour = new Uint8Array(HOUR_CHARS);
  #hourMs = 0;

  /**
   * Packs the object in `bytes[start, end)` at `to`, where there must be room for
   * MAX_PACKED_BYTES, and returns the end; 0 when it gives up.
   */
  read(bytes: Uint8Array, start: number, end: number, packed: Uint8Array, to: number): number {
    const { starts, ends } = this.#spans;
    if (!this.#scanner.scan(this.#spans, bytes, start, end)) return 0;
    this.#bytes = bytes;
    if (!this.#isText(USER, MAX_ID_BYTES) || !this.#isText(TYPE, MAX_TYPE_CHARS)) return 0;
    // One that has none gets its id from its place in the log.
    if (!this.#isText(ID, MAX_ID_BYTES) || !this.#hasCurrency()) return 0;
    const time = this.#time();
    if (time < 0) return 0;
    this.userStart = starts[USER]!;
    this.userEnd = ends[USER]!;
    if (!this.#isAscii(USER) || !this.#isAscii(ID)) return 0;
    packHead(packed, to, time, hash53Ascii(bytes, starts[ID]!, ends[ID]!));
    let at = packAscii(bytes, starts[TYPE]!, ends[TYPE]!, packed, to + TYPE_AT);
    if (at > 0) at = this.#pack(PAGE, packed, at);
    if (at > 0) at = this.#pack(DEVICE, packed, at);
    if (at === 0) return 0;
    let flags = 0;
    if (ends[AMOUNT]! > 0) {
      const micros = this.#micros();
      if (micros < 0) return 0;
      if (countsMoney(packed, to)) {
        flags |= WITH_AMOUNT;
        at = this.#packMoney(micros, packed, at);
      }
    }
    let hasOrigin = false;
    for (let role = REFERRER; role <= UTM_CAMPAIGN; role++) hasOrigin ||= this.#has(role);
    if (hasOrigin) {
      flags |= WITH_ORIGIN;
      for (let role = REFERRER; role <= UTM_CAMPAIGN && at > 0; role++) {
        at = this.#pack(role, packed, at);
      }
    }
    return at === 0 ? 0 : packTail(packed, to, at, flags);
  }

  /** A text that is not empty, and not too long. */
  #isText(role: number, maxBytes: number): boolean {
    const start = this.#spans.starts[role]!;
    const length = this.#spans.ends[role]! - start;
    return length > 0 && length <= maxBytes && this.#bytes[start - 1] === QUOTE;
  }

  #isAscii(role: number): boolean {
    let seen = 0;
    const end = this.#spans.ends[role]!;
    for (let at = this.#spans.starts[role]!; at < end; at++) seen |= this.#bytes[at]!;
    return seen < 0x80;
  }

  /** Whether there is a descriptive text: numbers count as absent. */
  #has(role: number): boolean {
    const start = this.#spans.starts[role]!;
    return this.#spans.ends[role]! > start && this.#bytes[start - 1] === QUOTE;
  }

  /** Packs a descriptive text; 0 when it isn't ASCII or would have to be cut. */
  #pack(role: number, packed: Uint8Array, at: number): number {
    if (!this.#has(role)) {
      packed[at] = 0;
      return at + 1;
    }
    const start = this.#spans.starts[role]!;
    const end = this.#spans.ends[role]!;
    return end - start > MAX_TEXT_CHARS ? 0 : packAscii(this.#bytes, start, end, packed, at);
  }

  /** Three capitals, or none. */
  #hasCurrency(): boolean {
    const start = this.#spans.starts[CURRENCY]!;
    if (start === 0) return true;
    if (this.#spans.ends[CURRENCY]! - start !== 3 || this.#bytes[start - 1] !== QUOTE) return false;
    for (let at = start; at < start + 3; at++) {
      if (this.#bytes[at]! < 0x41 || this.#bytes[at]! > 0x5a) return false;
    }
    return true;
  }

  /** A number without sign as millionths; -1 for anything else. */
  #micros(): number {
    const bytes = this.#bytes;
    const end = this.#spans.ends[AMOUNT]!;
    let micros = 0;
    let weight = 1e6;
    let at = this.#spans.starts[AMOUNT]!;
    if (end - at > 12) return -1;
    for (; at < end && bytes[at] !== POINT; at++) {
      if (bytes[at]! < ZERO || bytes[at]! > ZERO + 9) return -1;
      micros = micros * 10 + bytes[at]! - ZERO;
    }
    if (micros >= 1e9) return -1;
    micros *= 1e6;
    for (at++; at < end; at++) {
      weight /= 10;
      micros += (bytes[at]! - ZERO) * weight;
    }
    return bytes[this.#spans.starts[AMOUNT]! - 1] === QUOTE ? -1 : micros;
  }

  #packMoney(micros: number, packed: Uint8Array, at: number): number {
    const start = this.#spans.starts[CURRENCY]!;
    const end = packMicros(BigInt(micros), packed, at);
    if (start === 0) return packAscii(NO_CURRENCY, 0, NO_CURRENCY.length, packed, end);
    return packAscii(this.#bytes, start, this.#spans.ends[CURRENCY]!, packed, end);
  }

  /** `YYYY-MM-DDTHH:MM:SS.mmmZ` as epoch milliseconds; -1 for any other way to write a time. */
  #time(): number {
    const bytes = this.#bytes;
    const start = this.#spans.starts[TIME]!;
    if (this.#spans.ends[TIME]! - start !== ISO_CHARS || bytes[start - 1] !== QUOTE) return -1;
    if (bytes[start + 16] !== COLON || bytes[start + 19] !== POINT) return -1;
    if (bytes[start + 23] !== UPPER_Z || !this.#isKnownHour(start)) return -1;
    const minute = digits(bytes, start + 14, 2);
    const second = digits(bytes, start + 17, 2);
    const millisecond = digits(bytes, start + 20, 3);
    if (minute < 0 || minute > 59 || second < 0 || second > 59 || millisecond < 0) return -1;
    return this.#hourMs + (minute * 60 + second) * 1000 + millisecond;
  }

  #isKnownHour(start: number): boolean {
    let index = 0;
    while (index < HOUR_CHARS && this.#bytes[start + index] === this.#hour[index]) index++;
    if (index === HOUR_CHARS) return true;
    const text = String.fromCharCode(...this.#bytes.subarray(start, start + HOUR_CHARS));
    const hourMs = text[10] === 'T' ? parseIsoTime(`${text}00Z`) : null;
    if (hourMs === null) return false;
    this.#hour.set(this.#bytes.subarray(start, start + HOUR_CHARS));
    this.#hourMs = hourMs;
    return true;
  }
}

const NO_CURRENCY = Uint8Array.of(0x58, 0x58, 0x58);
const UPPER_Z = 0x5a;

/** The number written in `count` digits; -1 where one of them is none. */
function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index++) {
    const digit = bytes[index]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
