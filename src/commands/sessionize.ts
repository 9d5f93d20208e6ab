/** `lull sessionize`: sessions from files, in the order of events or of their arrival. */
import { systemClock } from '../ops/clock.ts';
import { DEFAULT_OPTIONS } from '../sessionize/options.ts';
import { choice, size, text } from '../setting.ts';
import { type Command, optionValue } from './command.ts';

const ORDER = {
  flag: '--order',
  kind: choice(['event', 'arrival']),
  help: 'event: no event is late, whatever the order of rows (default); arrival: rows come in order of arrival',
};
const FORMAT = {
  flag: '--format',
  kind: choice(['csv', 'ndjson', 'combined']),
  help: "of the files; without it, by each file's name and content",
};
const USER = { flag: '--user', kind: text('column'), help: 'column or key of the user' };
const TIME = { flag: '--time', kind: text('column'), help: 'column or key of the time' };
const TYPE = { flag: '--type', kind: text('column'), help: "column or key of the event's type" };
const ID = { flag: '--id', kind: text('column'), help: "column or key of the event's id" };
const TIMEZONE = {
  flag: '--timezone',
  kind: text('zone'),
  help: 'IANA name, for times without an offset; default UTC',
};
const OUT = {
  flag: '--out',
  kind: text('file'),
  help: 'file to write: .ndjson, .jsonl or .csv, also with .gz; without it, standard output',
};
const REJECTS = {
  flag: '--rejects',
  kind: text('file'),
  help: 'file for the rows that cannot be read (NDJSON)',
};
const MEMORY = {
  flag: '--memory',
  kind: size(),
  help: 'event data kept in memory; default 256MB',
};
const TEMP = {
  flag: '--temp',
  kind: text('folder'),
  help: 'folder for what does not fit into memory',
};

export const sessionize: Command = {
  name: 'sessionize',
  summary: 'sessions from files: CSV, NDJSON, Apache and nginx logs, also gzipped',
  arguments: '<file...>',
  settings: [
    ...(['gapMs', 'graceMs', 'tiersMs', 'maxDurationMs', 'maxEvents', 'endTypes'] as const),
    'partitions',
  ],
  defaults: { partitions: '1' },
  options: [ORDER, FORMAT, USER, TIME, TYPE, ID, TIMEZONE, OUT, REJECTS, MEMORY, TEMP],
  notes: 'A file - is standard input. Standard output holds records only.',
  run: async (call) => {
    const { config } = call.loaded;
    const { runSessionize } = await import('../sessionize/sessionize.ts');
    await runSessionize(
      {
        ...DEFAULT_OPTIONS,
        files: call.arguments,
        definition: config.definition,
        partitions: config.partitions,
        order: optionValue(call, ORDER) ?? DEFAULT_OPTIONS.order,
        format: optionValue(call, FORMAT) ?? null,
        columns: {
          user: optionValue(call, USER) ?? null,
          time: optionValue(call, TIME) ?? null,
          type: optionValue(call, TYPE) ?? null,
          id: optionValue(call, ID) ?? null,
        },
        timeZone: optionValue(call, TIMEZONE) ?? DEFAULT_OPTIONS.timeZone,
        out: optionValue(call, OUT) ?? null,
        rejects: optionValue(call, REJECTS) ?? null,
        memoryBytes: optionValue(call, MEMORY) ?? DEFAULT_OPTIONS.memoryBytes,
        tempFolder: optionValue(call, TEMP) ?? null,
      },
      { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, clock: systemClock },
    );
    return 0;
  },
};
