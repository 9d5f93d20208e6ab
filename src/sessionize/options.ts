/** What `lull sessionize` takes: its options and their checks. */
import { realpathSync } from 'node:fs';
import type { SessionDefinition } from '../core/definition.ts';
import { LullError } from '../errors.ts';
import type { NamedColumns } from './columns.ts';
import type { Format } from './input.ts';
import { zoneToUtc } from './time-zone.ts';

export interface SessionizeOptions {
  /** Files in the order in which they are read; `-` is standard input. */
  readonly files: readonly string[];
  readonly definition: SessionDefinition;
  /** `event`: no event is late. `arrival`: the order of rows is the order of arrival. */
  readonly order: Order;
  /** Null: found out, file by file. */
  readonly format: Format | null;
  /** Names of columns, or paths of keys (`context.userId`); null: usual names are looked for. */
  readonly columns: NamedColumns;
  /** IANA name, for times that don't say their offset. */
  readonly timeZone: string;
  /** Partitions, each with a clock of its own, in the order of arrival. */
  readonly partitions: number;
  /** Where the sessions go; null: standard output, as NDJSON. */
  readonly out: string | null;
  /** Where rows that can't be read go; null: they are counted and the first ones shown. */
  readonly rejects: string | null;
  /** Event data that is kept in memory; more goes to temporary files. */
  readonly memoryBytes: number;
  /** Folder of temporary files; null: the system's. */
  readonly tempFolder: string | null;
  /** Threads for large inputs; null: as many as there are processors, up to 8. */
  readonly threads: number | null;
}

export type OutputFormat = 'ndjson' | 'csv';
export type Order = 'event' | 'arrival';

export const DEFAULT_OPTIONS = {
  order: 'event',
  format: null,
  columns: { user: null, time: null, type: null, id: null },
  timeZone: 'UTC',
  partitions: 1,
  out: null,
  rejects: null,
  memoryBytes: 256e6,
  tempFolder: null,
  threads: null,
} as const satisfies Partial<SessionizeOptions>;

/** The format that the name of the output says. */
export function outputFormatOf(out: string | null): OutputFormat {
  if (out === null || /\.(ndjson|jsonl)(\.gz)?$/i.test(out)) return 'ndjson';
  if (/\.csv(\.gz)?$/i.test(out)) return 'csv';
  throw new LullError('wrong_usage', `--out ${out} doesn't say its format`, {
    hint: 'end it with .ndjson, .jsonl or .csv, each also with .gz',
  });
}

/** Throws `wrong_usage` for options that can't work together. */
export function checkOptions(options: SessionizeOptions): void {
  const { files, order, out, rejects } = options;
  if (files.length === 0) throw new LullError('wrong_usage', 'give at least one file');
  if (files.filter((file) => file === '-').length > 1) {
    throw new LullError('wrong_usage', 'standard input (-) can be read once only');
  }
  if (outputFormatOf(out) === 'csv' && order === 'arrival') {
    throw new LullError('wrong_usage', '--order arrival gives records of several kinds', {
      hint: 'end --out with .ndjson',
    });
  }
  zoneToUtc(options.timeZone);
  const taken = files.filter((file) => file !== '-').map(realPath);
  for (const written of [out, rejects]) {
    if (written === null) continue;
    if (taken.includes(realPath(written))) {
      throw new LullError('wrong_usage', `${written} would be overwritten while it is read`);
    }
    taken.push(realPath(written));
  }
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
