/** Times as files write them, from bytes: ISO 8601, epoch numbers, and what Apache logs have. */
import { daysFromCivil, parseIsoTime } from '../core/time.ts';
import { asBuffer } from './row.ts';
import type { ToUtc } from './time-zone.ts';

const DAY_MS = 86_400_000;
/** 9999-12-31T23:59:59.999Z, as in core/time.ts. */
const MAX_TIME_MS = 253_402_300_799_999;
/** Days that are remembered with their epoch milliseconds. */
const MAX_DAYS = 10_000;

/** How many units of an epoch column make a second. */
export type UnitsPerSecond = 1 | 1000 | 1_000_000 | 1_000_000_000;

/**
 * The unit of a column of epoch numbers, from one of its values: what it would be in seconds,
 * milliseconds, micro- or nanoseconds lies after 1973 in just one of them, up to the year 5138.
 */
export function unitOf(value: number): UnitsPerSecond {
  if (value < 1e11) return 1;
  if (value < 1e14) return 1000;
  return value < 1e17 ? 1_000_000 : 1_000_000_000;
}

export class TimeReader {
  readonly #toUtc: ToUtc | null;
  readonly #units: UnitsPerSecond;
  readonly #days = new Map<number, number>();
  #lastDate = 0;
  #lastDayMs = Number.NaN;

  /** `toUtc` converts times that say no offset (null: they are UTC). */
  constructor(toUtc: ToUtc | null, units: UnitsPerSecond) {
    this.#toUtc = toUtc;
    this.#units = units;
  }

  /** Epoch milliseconds; NaN when it isn't a time between 1970 and the year 9999. */
  read(bytes: Uint8Array, start: number, end: number): number {
    const time = this.#read(bytes, start, end);
    return time >= 0 && time <= MAX_TIME_MS ? time : Number.NaN;
  }

  #read(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length >= 19 && bytes[start + 4] === DASH && bytes[start + 7] === DASH) {
      const time = this.#readIso(bytes, start, end);
      if (!Number.isNaN(time)) return time;
    }
    if (length === 26 && bytes[start + 2] === SLASH) return this.#readApache(bytes, start);
    const text = asBuffer(bytes).latin1Slice(start, end).trim();
    const epoch = /^(\d{1,19})(?:\.(\d*))?$/.exec(text);
    return epoch === null ? this.#readText(text) : this.#fromEpoch(epoch[1]!, epoch[2] ?? '');
  }

  /** `YYYY-MM-DD[T ]HH:MM:SS[.fraction][Z]`; NaN for anything else. */
  #readIso(bytes: Uint8Array, start: number, end: number): number {
    const separator = bytes[start + 10];
    if (separator !== SPACE && separator !== UPPER_T) return Number.NaN;
    if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return Number.NaN;
    const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
    const month = twoDigits(bytes, start + 5);
    const date = year * 10_000 + month * 100 + twoDigits(bytes, start + 8);
    let time = this.#dayMs(date) + clockMs(bytes, start + 11);
    let at = start + 19;
    if (bytes[at] === POINT && at + 1 < end && isDigit(bytes[at + 1]!)) {
      const last = Math.min(end, at + 10);
      let weightMs = 100;
      for (at++; at < last; at++, weightMs /= 10) {
        if (!isDigit(bytes[at]!)) break;
        if (weightMs >= 1) time += (bytes[at]! - ZERO) * weightMs;
      }
    }
    if (at === end) return this.#toUtc === null ? time : this.#toUtc(time);
    return at + 1 === end && bytes[at] === UPPER_Z ? time : Number.NaN;
  }

  /** `17/May/2015:10:05:03 +0000` */
  #readApache(bytes: Uint8Array, start: number): number {
    const text = asBuffer(bytes).latin1Slice(start, start + 26);
    const month = MONTHS.indexOf(text.slice(3, 6)) / 3 + 1;
    const zone = /^\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d ([+-])(\d\d)(\d\d)$/.exec(text);
    if (zone === null || !Number.isInteger(month)) return Number.NaN;
    const year = twoDigits(bytes, start + 7) * 100 + twoDigits(bytes, start + 9);
    const day = this.#dayMs(year * 10_000 + month * 100 + twoDigits(bytes, start));
    const offsetMinutes = Number(zone[2]) * 60 + Number(zone[3]);
    const offsetMs = (zone[1] === '-' ? -offsetMinutes : offsetMinutes) * 60_000;
    return day + clockMs(bytes, start + 12) - offsetMs;
  }

  /** The fraction is cut to milliseconds. */
  #fromEpoch(whole: string, fraction: string): number {
    if (this.#units > 1) {
      // By its digits, because a number of nanoseconds is too large to be exact.
      const beyondMs = Math.log10(this.#units) - 3;
      return Number(whole.slice(0, Math.max(0, whole.length - beyondMs)));
    }
    return Number(whole) * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0'));
  }

  /** The rarer ways of writing: other offsets, ` UTC` at the end, no seconds. */
  #readText(text: string): number {
    const iso = text.replace(/ ?(UTC|GMT)$/i, 'Z').replace(/ ([+-]\d\d(:?\d\d)?)$/, '$1');
    const time = parseIsoTime(iso);
    if (time === null) return Number.NaN;
    const saysOffset = /(Z|[+-]\d\d(:?\d\d)?)$/i.test(iso.slice(10));
    return saysOffset || this.#toUtc === null ? time : this.#toUtc(time);
  }

  /** Epoch milliseconds of a day given as YYYYMMDD; NaN when there is no such day. */
  #dayMs(date: number): number {
    if (date === this.#lastDate) return this.#lastDayMs;
    let dayMs = this.#days.get(date);
    if (dayMs === undefined) {
      dayMs = newDayMs(date);
      if (this.#days.size < MAX_DAYS) this.#days.set(date, dayMs);
    }
    this.#lastDate = date;
    this.#lastDayMs = dayMs;
    return dayMs;
  }
}

function newDayMs(date: number): number {
  const year = Math.floor(date / 10_000);
  const month = Math.floor(date / 100) % 100;
  const days = daysFromCivil(year, month, date % 100);
  // A day that doesn't exist comes out as another one.
  const back = new Date(days * DAY_MS);
  const same = back.getUTCMonth() + 1 === month && back.getUTCDate() === date % 100;
  return same && back.getUTCFullYear() === year ? days * DAY_MS : Number.NaN;
}

/** `HH:MM:SS` in milliseconds; NaN when it isn't. */
function clockMs(bytes: Uint8Array, at: number): number {
  const hour = twoDigits(bytes, at);
  const minute = twoDigits(bytes, at + 3);
  const second = twoDigits(bytes, at + 6);
  if (hour > 23 || minute > 59 || second > 59) return Number.NaN;
  return ((hour * 60 + minute) * 60 + second) * 1000;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** NaN when one of the two isn't a digit. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const ZERO = 0x30;
const DASH = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;
const POINT = 0x2e;
const SPACE = 0x20;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
