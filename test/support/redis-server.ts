/**
 * A real Redis for service tests, on a free port and without persistence: it can be stopped,
 * killed, held up and started again, asks for a password or speaks TLS where that is wanted.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { unless } from './prerequisite.ts';

const run = promisify(execFile);

export interface RedisOptions {
  readonly password?: string;
  /** Speaks TLS only, with a certificate that it has signed itself. */
  readonly tls?: boolean;
  /** Lines of its configuration. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Reserves the port and starts nothing yet. */
  readonly isStopped?: boolean;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** The certificate itself, for those who are to trust it; null without TLS. */
  readonly certificate: string | null;
  /** What redis-cli prints when it is given these words. */
  cli(...words: string[]): Promise<string>;
  /** Starts it, empty; resolves when it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Keeps it from doing anything, with its connections open. */
  freeze(): void;
  thaw(): void;
  /** Ends it, and deletes what it left. */
  dispose(): Promise<void>;
}

/** For a test's `skip`: false where Redis can be started, else the reason. Throws in CI. */
export function unlessRedis(): string | false {
  return unless(isInstalled(), 'needs Redis: apt-get install redis-server');
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version']);
    return true;
  } catch {
    return false;
  }
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { password, tls = false, settings = {} } = options;
  const directory = mkdtempSync(join(tmpdir(), 'lull-redis-'));
  const files = { key: join(directory, 'server.key'), certificate: join(directory, 'server.crt') };
  if (tls) await makeCertificate(files);
  const port = await freePort();
  const given = Object.entries({
    ...(tls ? { port: 0, 'tls-port': port, 'tls-auth-clients': 'no' } : { port }),
    ...(tls ? { 'tls-cert-file': files.certificate, 'tls-key-file': files.key } : {}),
    ...(password === undefined ? {} : { requirepass: password }),
    ...{ bind: '127.0.0.1', dir: directory, save: '', appendonly: 'no' },
    ...settings,
  }).flatMap(([name, value]) => [`--${name}`, `${value}`]);

  const launch = () => {
    // It ends with this process, however that ends.
    const server = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...given], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { server, ended: once(server, 'exit') };
  };
  let running: ReturnType<typeof launch> | null = null;
  const end = async (signal: NodeJS.Signals) => {
    if (running === null) return;
    const { server, ended } = running;
    running = null;
    server.kill(signal);
    await ended;
  };
  const access = [
    ...(password === undefined ? [] : ['--no-auth-warning', '-a', password]),
    ...(tls ? ['--tls', '--cacert', files.certificate] : []),
  ];
  const started: RedisServer = {
    url: `redis${tls ? 's' : ''}://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    port,
    certificate: tls ? readFileSync(files.certificate, 'utf8') : null,
    async cli(...words) {
      return (await run('redis-cli', ['-p', `${port}`, ...access, ...words])).stdout.trimEnd();
    },
    async start() {
      running = launch();
      await untilReady(running.server.stdout);
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => void running?.server.kill('SIGSTOP'),
    thaw: () => void running?.server.kill('SIGCONT'),
    async dispose() {
      await end('SIGKILL');
      await rm(directory, { recursive: true });
    },
  };
  if (options.isStopped !== true) await started.start();
  return started;
}

async function makeCertificate(files: { key: string; certificate: string }): Promise<void> {
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', names, '-keyout', files.key, '-out', files.certificate],
  ]);
}

async function untilReady(output: NodeJS.ReadableStream): Promise<void> {
  const said: string[] = [];
  for await (const line of createInterface({ input: output })) {
    said.push(line);
    if (!line.includes('Ready to accept connections')) continue;
    output.resume();
    return;
  }
  throw new Error(`Redis does not start:\n${said.join('\n')}`);
}
