/** NDJSON: one object a line, its values taken by key or by a path of keys. */
import { writeUtf8 } from '../core/hash.ts';
import { JsonScanner, type KeyPaths } from '../core/json-scanner.ts';
import { TOO_LONG } from './rejects.ts';
import { asBuffer, LF, ROLES, Row, type RowReader, type RowTaker, TYPE, utf8Text } from './row.ts';

/** What numbers may take more than their text in the line: `1e20` has 21 digits. */
const NUMBERS_BYTES = 32 * ROLES.length;

export class NdjsonReader implements RowReader {
  readonly #paths: KeyPaths;
  readonly #maxRowBytes: number;
  readonly #scanner: JsonScanner;
  readonly #row = new Row();
  #scratch = new Uint8Array(1 << 16);

  constructor(paths: KeyPaths, maxRowBytes: number) {
    this.#paths = paths;
    this.#scanner = new JsonScanner(paths, TYPE + 1);
    this.#maxRowBytes = maxRowBytes;
  }

  read(bytes: Uint8Array, start: number, end: number, firstLine: number, taker: RowTaker): number {
    const row = this.#row;
    row.block = bytes;
    row.line = firstLine;
    for (let at = start; at < end; at = row.end, row.line++) {
      row.start = at;
      row.end = asBuffer(bytes).indexOf(LF, at) + 1;
      if (row.end - at > this.#maxRowBytes) {
        taker.reject(row, 'line_too_long', TOO_LONG);
        continue;
      }
      row.bytes = bytes;
      if (this.#scanner.scan(row, bytes, at, row.end)) {
        taker.row(row);
        continue;
      }
      const text = utf8Text(bytes, at, row.end).trim();
      if (text !== '') this.#parseLine(text, taker);
    }
    return row.line;
  }

  /** Reads a line that the scanner gave up on. */
  #parseLine(text: string, taker: RowTaker): void {
    const row = this.#row;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return taker.reject(row, 'invalid_json', 'the line is not JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return taker.reject(row, 'not_an_object', 'the line is JSON but not an object');
    }
    const room = text.length * 3 + NUMBERS_BYTES;
    if (this.#scratch.length < room) this.#scratch = new Uint8Array(room);
    row.bytes = this.#scratch;
    let to = 0;
    for (const [role, path] of this.#paths.entries()) {
      const found = path === null ? undefined : valueAt(value, path);
      row.starts[role] = to;
      if (typeof found === 'string' || typeof found === 'number') {
        to = writeUtf8(String(found), this.#scratch, to);
      } else if (found !== undefined && found !== null && role <= TYPE) {
        return taker.reject(row, 'invalid_field', `the ${ROLES[role]} is not a text or number`);
      }
      row.ends[role] = to;
    }
    taker.row(row);
  }
}

function valueAt(value: object, path: readonly string[]): unknown {
  let found: unknown = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** The paths to an object's values, a few levels deep: `["utm", "source"]`. */
export function pathsOf(value: object, depth = 3): string[][] {
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return [[key]];
    return depth === 1 ? [] : pathsOf(inner, depth - 1).map((path) => [key, ...path]);
  });
}
