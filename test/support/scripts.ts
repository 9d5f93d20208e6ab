/** The scripts that people run against a running system, and how they are told where it is. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface ScriptResult {
  readonly status: number;
  readonly output: string;
}

const ROOT = join(import.meta.dirname, '../..');

/** services: addresses of those that have ports of their own. */
export function tellStory(
  url: string,
  services: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<ScriptResult> {
  return run('integration-tests/test-sessionization.sh', [], {
    ...{ LULL_URL: url, LULL_SERVICES: services.join(' ') },
    ...environment,
  });
}

/** A small load for a short time, judged by its data alone. */
export function loadShortly(url: string, services: readonly string[] = []): Promise<ScriptResult> {
  const load = ['--rate', '200', '--duration', '8s', '--users', '40', '--no-verdict'];
  const places = services.length === 0 ? [] : ['--services', services.join(',')];
  return run('load-test.sh', [...load, ...places], { LULL_URL: url });
}

function run(
  script: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ScriptResult> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, ...environment } };
    const child = execFile('bash', [script, ...parameters], options, (_, stdout, stderr) => {
      resolve({ status: child.exitCode ?? 1, output: stdout + stderr });
    });
  });
}
