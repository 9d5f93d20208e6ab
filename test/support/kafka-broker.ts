/**
 * A real Kafka for service tests, one broker or three on free ports with data of their own; nodes
 * can be killed, suspended and brought back, and Kafka's own tools run against it.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unless } from './prerequisite.ts';

/** Starts, stops and asks brokers; it lies beside the checkout. */
const SCRIPT = join(import.meta.dirname, '../../../shared/kafka/kafka');

export interface KafkaClusterOptions {
  readonly brokers?: 1 | 3;
  /** Of the brokers, as in server.properties; may make use of a lone broker's free ports. */
  readonly settings?: BrokerSettings | ((port: number) => BrokerSettings);
  /** To be measured: with memory and with a compiler that takes its time. */
  readonly measured?: boolean;
}

export type BrokerSettings = Readonly<Record<string, string | number>>;

export interface KafkaCluster {
  /** `host:port` of each broker, with commas between. */
  readonly bootstrapServers: string;
  /** Nodes count from 1. SIGKILL; resolves once the process is gone. */
  kill(node: number): Promise<void>;
  /** An orderly end: leaders move first. */
  shutDown(node: number): Promise<void>;
  /** Brings a killed or shut down node back on its data; resolves when it answers. */
  restart(node: number): Promise<void>;
  /** SIGSTOP: the node keeps its connections and says nothing. */
  suspend(node: number): void;
  resume(node: number): void;
  pidOf(node: number): number;
  /** Standard output of one of Kafka's tools: `console-consumer`, `topics`, ... */
  tool(name: string, parameters: readonly string[], input?: string): Promise<string>;
  /** All nodes end at once, and their data is deleted. */
  stop(): Promise<void>;
}

/** For a test's `skip`: false where a Kafka can be started, else the reason. Throws in CI. */
export function unlessKafka(): string | false {
  const isThere = existsSync(SCRIPT) && runs('java', '-version') && runs('mvn', '--version');
  return unless(isThere, 'needs ../shared/kafka, Java 17 and Maven');
}

export async function startKafka(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  const count = options.brokers ?? 1;
  const directory = mkdtempSync(join(tmpdir(), 'lull-kafka-'));
  const guard = spawnGuard(directory);
  const port = await freePorts(count);
  const { settings: given = {} } = options;
  const settings = typeof given === 'function' ? given(port) : given;
  const environment = {
    ...process.env,
    KAFKA_HEAP: options.measured ? '1g' : '384m',
    KAFKA_EXTRA: Object.entries(settings)
      .map((pair) => pair.join('='))
      .join('\n'),
    // Brokers of tests live for seconds: compile quickly rather than well.
    ...(options.measured ? {} : { JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1' }),
  };
  const script = (parameters: readonly string[], input?: string) =>
    run(SCRIPT, parameters, environment, input);
  const at = ['-d', directory];
  const place = [...at, '-p', `${port}`, '-n', `${count}`];
  const bootstrapServers = (await script(['start', ...place])).trim();
  const pidOf = (node: number) => Number(readFileSync(join(directory, `node${node}.pid`), 'utf8'));
  const end = async (node: number, signal: NodeJS.Signals) => {
    const pid = pidOf(node);
    process.kill(pid, signal);
    while (isAlive(pid)) await sleep(20);
  };
  return {
    bootstrapServers,
    kill: (node) => end(node, 'SIGKILL'),
    shutDown: (node) => end(node, 'SIGTERM'),
    restart: async (node) => void (await script(['restart', ...at, `${node}`])),
    suspend: (node) => void process.kill(pidOf(node), 'SIGSTOP'),
    resume: (node) => void process.kill(pidOf(node), 'SIGCONT'),
    pidOf,
    tool: (name, parameters, input) => script(['tool', name, ...parameters], input),
    stop: () => guard.release(),
  };
}

/** Ends the brokers and deletes their data when told to, or when this process dies without that. */
function spawnGuard(directory: string): { release(): Promise<void> } {
  const commands = [
    'cat > /dev/null',
    'for pid in "$1"/node*.pid; do kill -9 "$(cat "$pid")" 2> /dev/null; done',
    'while ! rm -rf "$1" 2> /dev/null; do sleep 0.1; done',
  ];
  const guard = spawn('sh', ['-c', commands.join('\n'), 'guard', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => guard.once('exit', () => resolve()));
  // A test that forgets to stop its brokers can end all the same.
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return {
    release() {
      guard.ref();
      guard.stdin!.end();
      return ended;
    },
  };
}

/** A base port for which those of all nodes are free: each has five, ten apart, and takes two. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    // Below the ports that systems give to outgoing connections.
    const base = 15_000 + Math.floor(Math.random() * 15_000);
    const ports = Array.from({ length: count }, (_, node) => base + 10 * node);
    const free = await Promise.all(
      ports.flatMap((port) => [0, 1, 2, 3, 4].map((next) => isFree(port + next))),
    );
    if (free.every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function runs(command: string, parameter: string): boolean {
  return spawnSync(command, [parameter], { stdio: 'ignore' }).status === 0;
}

function run(
  command: string,
  parameters: readonly string[],
  env: NodeJS.ProcessEnv,
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env, maxBuffer: 1 << 30 };
    const child = execFile(command, parameters, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      reject(new Error(`${command} ${parameters.join(' ')}: ${stderr}`, { cause: error }));
    });
    child.stdin!.on('error', () => {});
    child.stdin!.end(input);
  });
}
