/** Runs `lull sessionize` in this process, on files of the test's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after } from 'node:test';
import { DEFAULT_DEFINITION } from '../../src/core/definition.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { DEFAULT_OPTIONS, type SessionizeOptions } from '../../src/sessionize/options.ts';
import { runSessionize, type Totals } from '../../src/sessionize/sessionize.ts';

/** Goes away when the tests of the file are done. */
export const folder = mkdtempSync(join(tmpdir(), 'lull-sessionize-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;

export function pathOf(ending: string): string {
  return join(folder, `${files++}${ending}`);
}

export function fileOf(content: string | Uint8Array, ending = '.csv'): string {
  const path = pathOf(ending);
  writeFileSync(path, content);
  return path;
}

export interface Ran {
  readonly totals: Totals;
  /** Standard output, and standard error. */
  readonly out: string;
  readonly said: string;
}

export async function run(
  inputs: readonly string[],
  options: Partial<SessionizeOptions> = {},
  stdin: Readable = Readable.from([]),
): Promise<Ran> {
  const stdout = new PassThrough({ highWaterMark: 1 << 30 });
  const stderr = new PassThrough({ highWaterMark: 1 << 30 });
  const totals = await runSessionize(
    { ...DEFAULT_OPTIONS, definition: DEFAULT_DEFINITION, files: inputs, ...options },
    { stdin, stdout, stderr, clock: systemClock },
  );
  return { totals, out: String(stdout.read() ?? ''), said: String(stderr.read() ?? '') };
}

// biome-ignore lint/suspicious/noExplicitAny: records of several shapes, looked at by tests
export function parsed(out: string): any[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
