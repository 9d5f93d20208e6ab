/** CSV (RFC 4180) from bytes: where rows end, and the fields of each row. */
import { TOO_LONG } from './rejects.ts';
import {
  asBuffer,
  CR,
  LF,
  QUOTE,
  type RejectReason,
  Row,
  type RowReader,
  type RowTaker,
  utf8Text,
} from './row.ts';

/**
 * Fields end at the delimiter, rows at LF or CRLF. A field that begins with a quote goes on to
 * its closing quote, whatever lies between; a doubled quote there is one. A quote anywhere else is
 * an ordinary character. A row longer than the bound, or whose quote isn't closed within it, is
 * rejected by its first line, and reading goes on with the next line.
 */
export interface CsvDialect {
  readonly delimiter: number;
  readonly maxRowBytes: number;
}

/**
 * Where the last whole row in `bytes[0, length)` ends; 0 when there is none. `atEnd`: nothing
 * follows, and the last byte is a line feed.
 */
export function endOfCsvRows(
  bytes: Uint8Array,
  length: number,
  atEnd: boolean,
  dialect: CsvDialect,
): number {
  const buffer = asBuffer(bytes.subarray(0, length));
  const quote = buffer.indexOf(QUOTE);
  if (quote < 0) return buffer.lastIndexOf(LF) + 1;
  let at = buffer.subarray(0, quote).lastIndexOf(LF) + 1;
  while (at < length) {
    let end = endOfRow(bytes, at, length, dialect);
    if (end === 0 && !atEnd && length - at <= dialect.maxRowBytes) break;
    if (end === 0) end = buffer.indexOf(LF, at) + 1;
    if (end === 0) break;
    at = end;
  }
  return at;
}

/** Where the row that starts at `start` ends; 0 when it doesn't, within `length` or its bound. */
function endOfRow(bytes: Uint8Array, start: number, length: number, dialect: CsvDialect): number {
  const { delimiter, maxRowBytes } = dialect;
  const bound = Math.min(length, start + maxRowBytes);
  let quoted = bytes[start] === QUOTE;
  for (let at = quoted ? start + 1 : start; at < bound; at++) {
    const byte = bytes[at]!;
    if (quoted) {
      if (byte !== QUOTE) continue;
      if (bytes[at + 1] === QUOTE) at++;
      else quoted = false;
    } else if (byte === LF) {
      return at + 1;
    } else if (byte === delimiter && bytes[at + 1] === QUOTE) {
      quoted = true;
      at++;
    }
  }
  return 0;
}

export class CsvReader implements RowReader {
  readonly #dialect: CsvDialect;
  /** By field, the role it is taken for; -1 for none. */
  readonly #roles: Int8Array;
  readonly #row = new Row();
  #scratch = new Uint8Array(4096);
  /** Of the row being read: its fields, lines inside its quotes, and what is odd about it. */
  #fieldCount = 0;
  #innerLines = 0;
  #strayText = false;
  #doubledRoles: number[] = [];

  constructor(dialect: CsvDialect, roles: Int8Array) {
    this.#dialect = dialect;
    this.#roles = roles;
  }

  read(bytes: Uint8Array, start: number, end: number, firstLine: number, taker: RowTaker): number {
    const row = this.#row;
    row.block = bytes;
    let at = start;
    let line = firstLine;
    while (at < end) {
      row.start = at;
      row.line = line;
      row.bytes = bytes;
      const bound = Math.min(end, at + this.#dialect.maxRowBytes);
      row.end = this.#readFields(bytes, at, bound);
      if (row.end < 0) {
        row.end = asBuffer(bytes).indexOf(LF, at) + 1;
        this.#innerLines = 0;
        const isLong = row.end - at > this.#dialect.maxRowBytes;
        const reason: RejectReason = isLong ? 'line_too_long' : 'quote_not_closed';
        taker.reject(row, reason, MESSAGES[reason]);
      } else if (!this.#isBlank()) {
        this.#give(taker);
      }
      at = row.end;
      line += 1 + this.#innerLines;
    }
    return line;
  }

  /** Puts down the spans of the row at `at`; returns its end, -1 when it has none by `bound`. */
  #readFields(bytes: Uint8Array, at: number, bound: number): number {
    const delimiter = this.#dialect.delimiter;
    const roles = this.#roles;
    const { starts, ends } = this.#row;
    let field = 0;
    this.#innerLines = 0;
    this.#strayText = false;
    if (this.#doubledRoles.length > 0) this.#doubledRoles = [];
    for (;;) {
      let start = at;
      let end: number;
      let byte = bytes[at]!;
      if (byte === QUOTE) {
        start++;
        end = this.#closeQuote(bytes, start, bound, field);
        if (end < 0) return -1;
        at = end + 1;
        byte = bytes[at]!;
        if (byte === CR && bytes[at + 1] === LF) byte = bytes[++at]!;
        if (byte !== delimiter && byte !== LF) this.#strayText = true;
        while (byte !== delimiter && byte !== LF) byte = bytes[++at]!;
      } else {
        while (byte !== delimiter && byte !== LF) byte = bytes[++at]!;
        end = byte === LF && at > start && bytes[at - 1] === CR ? at - 1 : at;
      }
      if (at >= bound) return -1;
      const role = field < roles.length ? roles[field]! : -1;
      if (role >= 0) {
        starts[role] = start;
        ends[role] = end;
      }
      field++;
      at++;
      if (byte === LF) break;
    }
    this.#fieldCount = field;
    return at;
  }

  /** Index of the quote that closes a field, noting what lies before it; -1 when none does. */
  #closeQuote(bytes: Uint8Array, start: number, bound: number, field: number): number {
    let doubled = false;
    for (let at = start; at < bound; at++) {
      const byte = bytes[at]!;
      if (byte === LF) this.#innerLines++;
      if (byte !== QUOTE) continue;
      if (bytes[at + 1] !== QUOTE) {
        if (doubled && (this.#roles[field] ?? -1) >= 0)
          this.#doubledRoles.push(this.#roles[field]!);
        return at;
      }
      doubled = true;
      at++;
    }
    return -1;
  }

  #isBlank(): boolean {
    const { start, end, block } = this.#row;
    return end - start === 1 || (end - start === 2 && block[start] === CR);
  }

  #give(taker: RowTaker): void {
    const row = this.#row;
    if (this.#strayText) {
      taker.reject(row, 'text_after_quote', MESSAGES.text_after_quote);
    } else if (this.#fieldCount !== this.#roles.length) {
      const message = `${this.#fieldCount} fields where the header has ${this.#roles.length}`;
      taker.reject(row, 'wrong_field_count', message);
    } else {
      if (this.#doubledRoles.length > 0) this.#unescape();
      taker.row(row);
    }
  }

  /** Copies the row's spans into the scratch, with doubled quotes made one. */
  #unescape(): void {
    const row = this.#row;
    const { bytes, starts, ends } = row;
    const rowBytes = row.end - row.start;
    if (this.#scratch.length < rowBytes) this.#scratch = new Uint8Array(rowBytes);
    let to = 0;
    for (const role of this.#roles) {
      if (role < 0) continue;
      const doubled = this.#doubledRoles.includes(role);
      const start = to;
      for (let at = starts[role]!; at < ends[role]!; at++) {
        this.#scratch[to++] = bytes[at]!;
        if (doubled && bytes[at] === QUOTE) at++;
      }
      starts[role] = start;
      ends[role] = to;
    }
    row.bytes = this.#scratch;
  }
}

const MESSAGES = {
  quote_not_closed: 'a quote is opened and not closed within 1 MB',
  line_too_long: TOO_LONG,
  text_after_quote: 'text follows a closing quote',
} as const;

const DELIMITERS = [0x2c, 0x3b, 0x09, 0x7c];

/** The delimiter of a header line: the candidate that it holds most of outside quotes. */
export function detectDelimiter(header: Uint8Array): number {
  const counts = DELIMITERS.map(() => 0);
  let quoted = false;
  for (const byte of header) {
    if (byte === QUOTE) quoted = !quoted;
    const index = quoted ? -1 : DELIMITERS.indexOf(byte);
    if (index >= 0) counts[index]!++;
  }
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
}

/** The fields of a header line (without its end), trimmed. */
export function headerNames(header: Uint8Array, delimiter: number): string[] {
  const names: string[] = [];
  for (let at = 0; at <= header.length; at++) {
    const start = at;
    let quoted = header[at] === QUOTE;
    if (quoted) at++;
    for (; at < header.length && (quoted || header[at] !== delimiter); at++) {
      if (header[at] === QUOTE) quoted = !quoted;
    }
    const name = utf8Text(header, start, at).trim();
    names.push(name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
  }
  return names;
}
