/** Apache's and nginx's access logs, in the common or the combined format. */
import { TOO_LONG } from './rejects.ts';
import {
  asBuffer,
  CR,
  LF,
  PAGE,
  QUOTE,
  REFERRER,
  Row,
  type RowReader,
  type RowTaker,
  TIME,
  USER,
} from './row.ts';

const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const QUESTION = 0x3f;
const DASH = 0x2d;
const SLASH = 0x2f;
/** Of `http://…`, which requests to a proxy have. */
const LOWER_H = 0x68;

/** The shape of a line: `ADDRESS … … [TIME] "REQUEST" STATUS BYTES "REFERRER" "AGENT"`. */
const LINE = /^\S+ \S+ .*?\[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "/;

export function looksCombined(line: string): boolean {
  return LINE.test(line);
}

/** The user is the client's address, the page the request's path without its query. */
export class CombinedReader implements RowReader {
  readonly #maxRowBytes: number;
  readonly #row = new Row();

  constructor(maxRowBytes: number) {
    this.#maxRowBytes = maxRowBytes;
  }

  read(bytes: Uint8Array, start: number, end: number, firstLine: number, taker: RowTaker): number {
    const row = this.#row;
    row.block = row.bytes = bytes;
    row.line = firstLine;
    for (let at = start; at < end; at = row.end, row.line++) {
      row.start = at;
      row.end = asBuffer(bytes).indexOf(LF, at) + 1;
      const length = row.end - at - (bytes[row.end - 2] === CR ? 2 : 1);
      if (length <= 0) continue;
      if (row.end - at > this.#maxRowBytes) {
        taker.reject(row, 'line_too_long', TOO_LONG);
      } else if (this.#readLine(bytes, at, at + length)) {
        taker.row(row);
      } else {
        taker.reject(row, 'not_a_log_line', 'not a line of the common or combined log format');
      }
    }
    return row.line;
  }

  /** Puts down the spans of the line; false when it hasn't the shape. */
  #readLine(bytes: Uint8Array, start: number, end: number): boolean {
    const { starts, ends } = this.#row;
    const addressEnd = find(bytes, SPACE, start, end);
    const open = find(bytes, OPEN_BRACKET, addressEnd, end);
    const close = find(bytes, CLOSE_BRACKET, open, end);
    const request = find(bytes, QUOTE, close, end) + 1;
    const requestEnd = endOfQuoted(bytes, request, end);
    if (addressEnd === start || request !== close + 3 || requestEnd >= end) return false;
    starts[USER] = start;
    ends[USER] = addressEnd;
    starts[TIME] = open + 1;
    ends[TIME] = close;
    this.#readRequest(bytes, request, requestEnd);
    const referrer = find(bytes, QUOTE, requestEnd + 1, end) + 1;
    const referrerEnd = endOfQuoted(bytes, referrer, end);
    const none = referrerEnd >= end || (referrerEnd === referrer + 1 && bytes[referrer] === DASH);
    starts[REFERRER] = none ? 0 : referrer;
    ends[REFERRER] = none ? 0 : referrerEnd;
    return true;
  }

  /** `GET /path?query HTTP/1.1`: the path; nothing when the request isn't one. */
  #readRequest(bytes: Uint8Array, start: number, end: number): void {
    const path = find(bytes, SPACE, start, end) + 1;
    const target = find(bytes, SPACE, path, end);
    const isPath = path < end && (bytes[path] === SLASH || bytes[path] === LOWER_H);
    this.#row.starts[PAGE] = isPath ? path : 0;
    this.#row.ends[PAGE] = isPath ? find(bytes, QUESTION, path, target) : 0;
  }
}

/** Index of a byte at or after `from`; `end` when there is none. */
function find(bytes: Uint8Array, byte: number, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== byte) at++;
  return Math.min(at, end);
}

/** Index of the quote that ends what began before `from`; `\"` is part of it. */
function endOfQuoted(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, end);
}
