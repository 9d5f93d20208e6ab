/** Finds the events in a request's body: one object, an array of them, or one a line. */

/** Where the events lie, as start and end of each, one after the other. */
export interface BodyItems {
  /** `single`: its refusal is the request's; `batch`: each refusal is its own. */
  readonly form: 'single' | 'batch';
  readonly bounds: readonly number[];
}

/** Why a whole body can't be taken. */
export type BodyProblem = 'empty' | 'broken_array' | 'too_many';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * `lines` says that the sender calls it NDJSON; without that, lines are told by their look.
 * Only the structure is read here: whether an item is JSON is found when it is decoded.
 */
export function findItems(body: Buffer, lines: boolean, maxItems: number): BodyItems | BodyProblem {
  const start = skipSpace(body, hasByteOrderMark(body) ? 3 : 0);
  if (start === body.length) return 'empty';
  if (body[start] === OPEN_BRACKET) return arrayItems(body, start, maxItems);
  if (lines || looksLikeLines(body, start)) return lineItems(body, start, maxItems);
  return { form: 'single', bounds: [start, trimEnd(body, start, body.length)] };
}

/** A second line that opens an object: lines, unless it all is one oddly laid out object. */
function looksLikeLines(body: Buffer, start: number): boolean {
  const second = body.indexOf('\n{', start);
  if (second < 0) return false;
  return isJson(body.subarray(start, second)) || !isJson(body.subarray(start));
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

function lineItems(body: Buffer, start: number, maxItems: number): BodyItems | BodyProblem {
  const bounds: number[] = [];
  for (let at = start; at < body.length; ) {
    const newline = body.indexOf(NEWLINE, at);
    const lineEnd = newline < 0 ? body.length : newline;
    const from = Math.min(skipSpace(body, at), lineEnd);
    if (from < lineEnd) {
      if (bounds.length >= maxItems * 2) return 'too_many';
      bounds.push(from, trimEnd(body, from, lineEnd));
    }
    at = lineEnd + 1;
  }
  return { form: 'batch', bounds };
}

/** Splits at the commas of the outermost array; `start` is its opening bracket. */
function arrayItems(body: Buffer, start: number, maxItems: number): BodyItems | BodyProblem {
  const bounds: number[] = [];
  let depth = 0;
  let itemStart = start + 1;
  for (let at = start + 1; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = endOfString(body, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === COMMA && depth === 0) {
      if (bounds.length >= maxItems * 2) return 'too_many';
      pushItem(bounds, body, itemStart, at);
      itemStart = at + 1;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth > 0) {
        depth--;
        continue;
      }
      if (byte === CLOSE_BRACE || skipSpace(body, at + 1) < body.length) return 'broken_array';
      const isEmpty = bounds.length === 0 && skipSpace(body, itemStart) === at;
      if (bounds.length >= maxItems * 2) return 'too_many';
      if (!isEmpty) pushItem(bounds, body, itemStart, at);
      return { form: 'batch', bounds };
    }
  }
  return 'broken_array';
}

function pushItem(bounds: number[], body: Buffer, start: number, end: number): void {
  const from = Math.min(skipSpace(body, start), end);
  bounds.push(from, trimEnd(body, from, end));
}

/** Index of the closing quote; the body's length when there is none. */
function endOfString(body: Buffer, open: number): number {
  let at = open + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && body[at]! <= SPACE) at++;
  return at;
}

function trimEnd(body: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && body[at - 1]! <= SPACE) at--;
  return at;
}

function hasByteOrderMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}
