/** Docker for the rehearsals: the machine's own, or the engine that ../shared/compose starts. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { unless } from '../support/prerequisite.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHARED = join(ROOT, '../shared');

export interface Docker {
  /** Runs it in bash, in the project's folder; resolves with what it says, rejects if it fails. */
  sh(command: string, input?: string): Promise<string>;
  /** The same at a terminal, as `docker exec -it` wants it; input is typed, colours are lost. */
  type(command: string, input?: string): Promise<string>;
  /** Ends what was started for it. */
  stop(): Promise<void>;
}

const hasDocker = spawnSync('docker', ['version']).status === 0;
const canRehearse = process.getuid?.() === 0 && existsSync(join(SHARED, 'compose/rehearse'));

/** For a test's `skip`: false where Docker is there or can be had, else the reason. */
export function unlessDocker(): string | false {
  return unless(hasDocker || canRehearse, 'needs Docker; or root, and ../shared/compose');
}

/** `files` are the compose files whose images will be needed. */
export async function startDocker(files: readonly string[]): Promise<Docker> {
  if (hasDocker) return dockerOf(process.env, async () => {});
  const folder = mkdtempSync(join(tmpdir(), 'lull-compose-'));
  const rehearse = copyRehearse(folder);
  // So that `docker` and `docker-compose` are there as the brief types them.
  const programs = { docker: 'docker', 'docker-compose': 'docker compose' };
  const { PATH } = process.env;
  for (const [name, command] of Object.entries(programs)) {
    // The script looks for `docker` itself, and must not find this one.
    const script = `#!/bin/sh\nPATH='${PATH}' exec ${rehearse} ${command} "$@"\n`;
    writeFileSync(join(folder, name), script, { mode: 0o755 });
  }
  const environment = { ...process.env, PATH: `${folder}:${PATH}` };
  const docker = dockerOf(environment, async () => {
    await docker.sh(`${rehearse} stop`);
    rmSync(folder, { recursive: true });
  });
  await docker.sh(`
    chmod -Rf u+w "\${REHEARSE_DIR:-$HOME/.cache/rehearse}/context" || true
    ${rehearse} start
    ${rehearse} images ${files.join(' ')}`);
  return docker;
}

/** A copy that can be written to: the images take the files' rights with them. */
function copyRehearse(folder: string): string {
  for (const name of ['compose', 'kafka']) {
    cpSync(join(SHARED, name), join(folder, name), { recursive: true });
    for (const path of readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })) {
      chmodSync(join(folder, name, path), 0o755);
    }
  }
  return join(folder, 'compose/rehearse');
}

function dockerOf(environment: NodeJS.ProcessEnv, stop: () => Promise<void>): Docker {
  return {
    sh: (command, input) =>
      run(['bash', '-c', `set -euo pipefail\n${command}`], environment, input),
    // A large terminal, so that nothing is shown page by page.
    type: async (command, input) => {
      const terminal = ['script', '-qefc', `stty rows 5000 cols 500; ${command}`, '/dev/null'];
      const said = await run(terminal, { ...environment, SHELL: '/bin/bash' }, input);
      return stripVTControlCharacters(said);
    },
    stop,
  };
}

function run(
  [program = '', ...parameters]: readonly string[],
  env: NodeJS.ProcessEnv,
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: ROOT, env });
    let [said, complained] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained += text;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) return resolve(said);
      const ending = `${said}${complained}`.slice(-4000);
      reject(new Error(`${parameters.join(' ')}: status ${status}\n${ending}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
