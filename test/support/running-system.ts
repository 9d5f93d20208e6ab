/** The real program in a process of its own, as a person would start it, for end-to-end tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RunningSystem {
  readonly url: string;
  /** What it has printed on standard output and standard error so far. */
  output(): string;
  /** Sends the signal and resolves with [exit status, signal] once the process has ended. */
  end(signal: NodeJS.Signals): Promise<[number | null, NodeJS.Signals | null]>;
}

export const MAIN = join(import.meta.dirname, '../../src/main.ts');

export function makeFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `lull-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts `lull start` with these flags on a free port; resolves once it serves. */
export function startSystem(...flags: string[]): Promise<RunningSystem> {
  return startSystemWith([], ...flags);
}

/** The same, with arguments for Node.js itself. */
export function startSystemWith(
  nodeArguments: readonly string[],
  ...flags: string[]
): Promise<RunningSystem> {
  return startProcess([...nodeArguments, MAIN, 'start', '--port', '0', ...flags]);
}

/** Starts `lull run` with these services and flags on a free port; resolves once it serves. */
export function startServices(
  environment: Readonly<Record<string, string>>,
  ...parameters: string[]
): Promise<RunningSystem> {
  return startProcess([MAIN, 'run', '--port', '0', ...parameters], environment);
}

async function startProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningSystem> {
  const lull = spawn(process.execPath, command, { env: { ...process.env, ...environment } });
  const ended = once(lull, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  let output = '';
  for (const stream of [lull.stdout, lull.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const url = await served(lull, () => output);
  return {
    url,
    output: () => output,
    end: (signal) => {
      lull.kill(signal);
      return ended;
    },
  };
}

async function served(lull: ChildProcess, output: () => string): Promise<string> {
  for (;;) {
    const [, url] = /^Lull is running: (\S+)$/m.exec(output()) ?? [];
    if (url !== undefined) return url;
    if (lull.exitCode !== null) throw new Error(`it ended before it served: ${output()}`);
    await sleep(20);
  }
}

/** Asks again and again until the answer is as wanted; the test's own timeout is the bound. */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  isWanted: (value: Value) => boolean,
): Promise<Value> {
  for (;;) {
    const value = await ask();
    if (isWanted(value)) return value;
    await sleep(100);
  }
}

/** The JSON of a GET; `status` is the answer's. */
export async function get<Body>(url: string): Promise<{ status: number; body: Body }> {
  const answer = await fetch(url);
  return { status: answer.status, body: (await answer.json()) as Body };
}

export async function untilReady(url: string): Promise<void> {
  await eventually(
    () => fetch(`${url}/ready`).then((answer) => answer.status),
    (status) => status === 200,
  );
}

/** Posts events; resolves with the answer. */
export async function post(
  url: string,
  events: unknown,
): Promise<{ status: number; body: { accepted: number; position: string } }> {
  const answer = await fetch(`${url}/api/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  const body = (await answer.json()) as { accepted: number; position: string };
  return { status: answer.status, body };
}
