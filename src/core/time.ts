/** Times as clients write them, read strictly; the library's own parser accepts too much. */

const DAY_MS = 86_400_000;
/** 9999-12-31T23:59:59.999Z: later times can't be written as ISO 8601 with four digits. */
const MAX_TIME_MS = 253_402_300_799_999;
/** Smaller numbers than this are epoch seconds sent by mistake (as milliseconds: early 1973). */
const MIN_NUMERIC_MS = 100_000_000_000;

/**
 * Epoch milliseconds of an ISO 8601 text (without an offset: UTC) or of a number that already
 * is epoch milliseconds; null for anything else, dates that don't exist included.
 */
export function parseTime(value: unknown): number | null {
  if (typeof value === 'number') {
    if (!Number.isInteger(value) || value < MIN_NUMERIC_MS || value > MAX_TIME_MS) return null;
    return value;
  }
  return typeof value === 'string' ? parseIsoTime(value) : null;
}

/** `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]][Z|±HH[:]MM]`; the fraction is cut to milliseconds. */
export function parseIsoTime(text: string): number | null {
  const day = parseDay(text);
  if (day === null || text.length < 16) return null;
  const separator = text.charCodeAt(10);
  if (separator !== 0x54 && separator !== 0x20 && separator !== 0x74) return null;
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text.charCodeAt(13) !== 0x3a) {
    return null;
  }
  let at = 16;
  let second = 0;
  let millisecond = 0;
  if (text.charCodeAt(at) === 0x3a) {
    second = digits(text, 17, 2);
    if (second < 0 || second > 59) return null;
    at = 19;
    const point = text.charCodeAt(at);
    if (point === 0x2e || point === 0x2c) {
      const start = ++at;
      let weight = 100;
      while (isDigit(text.charCodeAt(at))) {
        millisecond += (text.charCodeAt(at) - 0x30) * Math.floor(weight);
        weight /= 10;
        at++;
      }
      if (at === start || at - start > 9) return null;
    }
  }
  const offset = parseOffset(text, at);
  if (offset === null) return null;
  const time = day + ((hour * 60 + minute) * 60 + second) * 1000 + millisecond - offset * 60_000;
  return time < 0 || time > MAX_TIME_MS ? null : time;
}

function parseDay(text: string): number | null {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return null;
  return daysFromCivil(year, month, day) * DAY_MS;
}

/** Minutes east of UTC; null when what follows the time is not an offset. */
function parseOffset(text: string, at: number): number | null {
  if (at === text.length) return 0;
  const sign = text.charCodeAt(at);
  if ((sign === 0x5a || sign === 0x7a) && at + 1 === text.length) return 0;
  if (sign !== 0x2b && sign !== 0x2d) return null;
  const colon = text.charCodeAt(at + 3) === 0x3a ? 1 : 0;
  const hours = digits(text, at + 1, 2);
  const minutes = at + 3 === text.length ? 0 : digits(text, at + 3 + colon, 2);
  const length = at + 3 === text.length ? at + 3 : at + 5 + colon;
  if (text.length !== length || hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return null;
  return (sign === 0x2d ? -1 : 1) * (hours * 60 + minutes);
}

/** Days from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The number written in `count` digits at `at`; -1 where a character is not a digit. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index++) {
    const code = text.charCodeAt(index);
    if (!isDigit(code)) return -1;
    value = value * 10 + code - 0x30;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
