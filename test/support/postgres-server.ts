/**
 * A real PostgreSQL for service tests, on a free port with data of its own: it can be stopped,
 * killed and started again, asks for a password or speaks TLS where that is wanted.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { unless } from './prerequisite.ts';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Of the user `postgres`; without one everybody is let in. */
  readonly password?: string;
  /** Takes TLS connections too, with a certificate that it has signed itself. */
  readonly tls?: boolean;
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface PostgresServer {
  readonly port: number;
  /** The certificate's file; null without TLS. */
  readonly certificate: string | null;
  /** Of the user `postgres`. */
  url(database?: string): string;
  /** Starts it again; resolves when it answers. */
  start(): Promise<void>;
  /** An orderly end that doesn't wait for clients. */
  stop(): Promise<void>;
  /** SIGKILL for the server and every process of it. */
  kill(): Promise<void>;
  /** Ends it, and deletes its data. */
  dispose(): Promise<void>;
}

/** Debian keeps the server's programs out of the PATH, one folder a version. */
const [programs] = globSync('/usr/lib/postgresql/*/bin').sort().reverse();

/** For a test's `skip`: false where PostgreSQL can be started, else the reason. Throws in CI. */
export function unlessPostgres(): string | false {
  const isThere = programs !== undefined && existsSync(join(programs, 'initdb'));
  return unless(isThere, 'needs PostgreSQL: apt-get install postgresql');
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { password, tls = false, settings = {} } = options;
  const directory = mkdtempSync(join(tmpdir(), 'lull-postgres-'));
  const asOwner = await owner(directory);
  const data = join(directory, 'data');
  const certificate = tls ? await makeCertificate(directory, asOwner) : null;
  await initialize(directory, asOwner, password);
  const port = await freePort();
  const given = {
    ...{ port, listen_addresses: '127.0.0.1', unix_socket_directories: directory },
    // Nothing here loses its power.
    ...{ fsync: 'off', shared_buffers: '32MB', log_destination: 'stderr' },
    ...(certificate === null ? {} : tlsSettings(directory)),
    ...settings,
  };
  const parameters = Object.entries(given).flatMap((pair) => ['-c', pair.join('=')]);

  const launch = () => {
    const command = [...asOwner, join(programs!, 'postgres'), '-D', data, ...parameters];
    // It ends with this process, however that ends.
    const server = spawn('setpriv', ['--pdeathsig', 'QUIT', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    return { server, ended: once(server, 'exit') };
  };
  let running: ReturnType<typeof launch> | null = null;
  const end = async (signal: (server: ChildProcess) => unknown) => {
    if (running === null) return;
    const { server, ended } = running;
    running = null;
    await signal(server);
    await ended;
  };
  const started: PostgresServer = {
    port,
    certificate,
    url: (database = 'sessiondb') => {
      const user = password === undefined ? 'postgres' : `postgres:${password}`;
      return `postgres://${user}@127.0.0.1:${port}/${database}`;
    },
    async start() {
      running = launch();
      await untilReady(running.server.stderr);
    },
    stop: () => end((server) => server.kill('SIGINT')),
    kill: () => end(({ pid }) => killAll(pid!)),
    async dispose() {
      await started.stop();
      await rm(directory, { recursive: true });
    },
  };
  await started.start();
  return started;
}

/** PostgreSQL refuses to run as root: then as the user that Debian makes for it. */
async function owner(directory: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const idOf = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  const [user, group] = [await idOf('-u'), await idOf('-g')];
  chownSync(directory, user, group);
  return ['--reuid', `${user}`, '--regid', `${group}`, '--clear-groups'];
}

async function initialize(
  directory: string,
  asOwner: readonly string[],
  password: string | undefined,
): Promise<void> {
  const secret = join(directory, 'password');
  const auth = ['--auth=trust'];
  if (password !== undefined) {
    writeFileSync(secret, password);
    auth.splice(0, 1, '--auth=scram-sha-256', `--pwfile=${secret}`);
  }
  const initdb = [join(programs!, 'initdb'), '-D', join(directory, 'data'), '-U', 'postgres', '-N'];
  await run('setpriv', ['--pdeathsig', 'KILL', ...asOwner, ...initdb, '--locale=C', ...auth]);
}

async function makeCertificate(directory: string, asOwner: readonly string[]): Promise<string> {
  const certificate = join(directory, 'server.crt');
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  await run('setpriv', [
    ...['--pdeathsig', 'KILL', ...asOwner, 'openssl', 'req', '-x509', '-newkey', 'rsa:2048'],
    ...['-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', names],
    ...['-keyout', join(directory, 'server.key'), '-out', certificate],
  ]);
  return certificate;
}

function tlsSettings(directory: string): Record<string, string> {
  const [certificate, key] = [join(directory, 'server.crt'), join(directory, 'server.key')];
  return { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key };
}

async function untilReady(output: NodeJS.ReadableStream): Promise<void> {
  const said: string[] = [];
  const lines = createInterface({ input: output });
  for await (const line of lines) {
    said.push(line);
    if (!line.includes('ready to accept connections')) continue;
    output.resume();
    return;
  }
  throw new Error(`PostgreSQL does not start:\n${said.join('\n')}`);
}

/** Held first, so that the server starts no process anew; no process of it is left afterwards. */
async function killAll(server: number): Promise<void> {
  process.kill(server, 'SIGSTOP');
  const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8');
  const processes = [server, ...children.split(' ').filter(Boolean).map(Number)];
  for (const pid of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
  while (processes.some(isRunning)) await sleep(10);
}

/** Whether it still holds memory: what has ended and was not yet waited for doesn't. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
