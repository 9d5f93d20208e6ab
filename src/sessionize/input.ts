/** What an input is, found out from its name and first bytes: format, columns, unit of time. */

import type { KeyPaths } from '../core/json-scanner.ts';
import { LullError } from '../errors.ts';
import { type BlockCutter, type EndOfRows, endOfLines, MAX_ROW_BYTES } from './blocks.ts';
import { assignColumns, type NamedColumns } from './columns.ts';
import { CombinedReader, looksCombined } from './combined.ts';
import { CsvReader, detectDelimiter, endOfCsvRows, headerNames } from './csv.ts';
import { NdjsonReader, pathsOf } from './ndjson.ts';
import {
  asBuffer,
  LF,
  PAGE,
  ROLES,
  type Row,
  type RowReader,
  TIME,
  TYPE,
  utf8Text,
} from './row.ts';
import { type UnitsPerSecond, unitOf } from './time-reader.ts';

export type Format = 'csv' | 'ndjson' | 'combined';

/** All that is needed to read an input's rows; plain data, so that a worker can be told. */
export interface InputPlan {
  readonly name: string;
  readonly format: Format;
  /** CSV: the byte between fields, and the role of each field (-1: none). */
  readonly delimiter: number;
  readonly roles: Int8Array;
  /** NDJSON: where each role's value lies. */
  readonly paths: KeyPaths;
  readonly units: UnitsPerSecond;
  /** Type of events that say none. */
  readonly defaultType: string;
  /** Number of the first line after the header. */
  readonly firstLine: number;
  /** The header and the first row, which tell one log from another. */
  readonly beginning: Uint8Array;
  /** In words, for the user: which column is taken for what. */
  readonly description: string;
}

const SAMPLE_BYTES = 1 << 18;
/** Names of the Event itself: looked for in NDJSON even if its first lines don't have them. */
const OWN_PATHS: readonly (readonly string[])[] = [
  ['userId'],
  ['timestamp'],
  ['eventId'],
  ['eventType'],
  ['page'],
  ['referrer'],
  ['device'],
  ['utm', 'source'],
  ['utm', 'medium'],
  ['utm', 'campaign'],
  ['amount'],
  ['currency'],
];

/** Looks at the beginning of an input; afterwards the cutter stands at the first row of data. */
export async function planInput(
  name: string,
  cutter: BlockCutter,
  format: Format | null,
  named: NamedColumns,
): Promise<InputPlan> {
  const sample = await cutter.peek(SAMPLE_BYTES);
  const start = startOfContent(name, sample);
  const content = sample.subarray(start);
  const found = format ?? detectFormat(name, content);
  if (content.length === 0) return { ...EMPTY, name, format: found };
  let headerBytes = 0;
  let plan: InputPlan;
  if (found === 'csv') {
    headerBytes = lineEnd(content);
    plan = planCsv(name, content.subarray(0, headerBytes), named);
  } else if (found === 'ndjson') {
    plan = planNdjson(name, content, named);
  } else {
    const description = 'user = client address, time = [%t], page = path of the request';
    plan = { ...EMPTY, name, format: found, defaultType: 'PAGE_VIEW', description };
  }
  cutter.skip(start + headerBytes);
  const data = content.subarray(headerBytes);
  return {
    ...plan,
    units: unitOf(largestEpoch(plan, data)),
    beginning: content.slice(0, headerBytes + lineEnd(data)),
  };
}

export function readerOf(plan: InputPlan): RowReader {
  if (plan.format === 'combined') return new CombinedReader(MAX_ROW_BYTES);
  if (plan.format === 'ndjson') return new NdjsonReader(plan.paths, MAX_ROW_BYTES);
  return new CsvReader({ delimiter: plan.delimiter, maxRowBytes: MAX_ROW_BYTES }, plan.roles);
}

export function endOfRowsOf(plan: InputPlan): EndOfRows {
  if (plan.format !== 'csv') return endOfLines;
  const dialect = { delimiter: plan.delimiter, maxRowBytes: MAX_ROW_BYTES };
  return (bytes, length, atEnd) => endOfCsvRows(bytes, length, atEnd, dialect);
}

const EMPTY: InputPlan = {
  name: '',
  format: 'csv',
  delimiter: 0,
  roles: new Int8Array(0),
  paths: [],
  units: 1000,
  defaultType: 'EVENT',
  firstLine: 1,
  beginning: new Uint8Array(0),
  description: 'empty',
};

/** Skips a byte-order mark; complains of what is no text that we read. */
function startOfContent(name: string, sample: Uint8Array): number {
  const [first, second, third] = sample;
  if (first === 0xef && second === 0xbb && third === 0xbf) return 3;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw unknownFormat(name, 'is UTF-16', 'convert it to UTF-8: iconv -f UTF-16 -t UTF-8');
  }
  if (asBuffer(sample.subarray(0, 4)).toString('latin1') === 'PAR1') {
    throw unknownFormat(name, 'is Parquet, which is not read yet', 'export it as CSV or NDJSON');
  }
  if (sample.includes(0)) {
    throw unknownFormat(name, 'is not text', 'give CSV, NDJSON or a combined log, plain or gzip');
  }
  return 0;
}

function detectFormat(name: string, content: Uint8Array): Format {
  const plainName = name.toLowerCase().replace(/\.gz$/, '');
  if (/\.(csv|tsv)$/.test(plainName)) return 'csv';
  if (/\.(ndjson|jsonl)$/.test(plainName)) return 'ndjson';
  const first = utf8Text(content, 0, lineEnd(content)).trim();
  if (first.startsWith('[')) {
    const hint = 'write one object a line: jq -c ".[]"';
    throw unknownFormat(name, 'is a JSON array', hint);
  }
  if (first.startsWith('{')) return 'ndjson';
  return looksCombined(first) ? 'combined' : 'csv';
}

function planCsv(name: string, header: Uint8Array, named: NamedColumns): InputPlan {
  const end = trimmedEnd(header);
  const delimiter = detectDelimiter(header.subarray(0, end));
  const columns = headerNames(header.subarray(0, end), delimiter);
  const columnOfRole = assignColumns(name, columns, named);
  const roles = new Int8Array(columns.length).fill(-1);
  for (const [role, column] of columnOfRole.entries()) if (column >= 0) roles[column] = role;
  return {
    ...EMPTY,
    name,
    delimiter,
    roles,
    defaultType: columnOfRole[PAGE]! >= 0 ? 'PAGE_VIEW' : 'EVENT',
    firstLine: 2,
    description: described(columnOfRole.map((column) => columns[column] ?? null)),
  };
}

function planNdjson(name: string, content: Uint8Array, named: NamedColumns): InputPlan {
  const paths = new Map<string, readonly string[]>();
  const end = endOfLines(content, content.length, false);
  for (const line of utf8Text(content, 0, end).split('\n')) {
    for (const path of pathsOf(parseObject(line))) {
      const key = path.join('.');
      // A key that holds a dot itself goes before a path that reads the same.
      if (path.length < (paths.get(key)?.length ?? 9)) paths.set(key, path);
    }
  }
  const columns = [...paths.keys()];
  const columnOfRole = assignColumns(name, columns, named);
  const found = columnOfRole.map((column, role) =>
    column >= 0 ? paths.get(columns[column]!)! : OWN_PATHS[role]!,
  );
  return {
    ...EMPTY,
    name,
    format: 'ndjson',
    paths: found,
    description: described(columnOfRole.map((column) => columns[column] ?? null)),
  };
}

function parseObject(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function described(columns: readonly (string | null)[]): string {
  const taken = columns.flatMap((column, role) =>
    column === null ? [] : [`${ROLES[role]} = ${column}`],
  );
  if (columns[TYPE] === null) {
    taken.push(columns[PAGE] === null ? 'no type (EVENT)' : 'no type (PAGE_VIEW)');
  }
  return taken.join(', ');
}

/** The largest number in the time column of the sample's rows; decides the column's unit. */
function largestEpoch(plan: InputPlan, sample: Uint8Array): number {
  let largest = 0;
  const end = endOfRowsOf(plan)(sample, sample.length, false);
  const taker = {
    row(row: Row) {
      const text = row.text(TIME).trim();
      if (/^\d{1,19}(\.\d*)?$/.test(text)) largest = Math.max(largest, Number(text));
    },
    reject() {},
  };
  readerOf(plan).read(sample, 0, end, 1, taker);
  return largest;
}

function lineEnd(bytes: Uint8Array): number {
  const lineFeed = bytes.indexOf(LF);
  return lineFeed < 0 ? bytes.length : lineFeed + 1;
}

function trimmedEnd(line: Uint8Array): number {
  let end = line.length;
  while (end > 0 && (line[end - 1] === LF || line[end - 1] === 0x0d)) end--;
  return end;
}

function unknownFormat(name: string, what: string, hint: string): LullError {
  return new LullError('input_unreadable', `${name} ${what}`, { hint });
}
