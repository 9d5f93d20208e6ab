/** The peer: the Kafka Streams application of bench/peers, built once, in a JVM of its own. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Contender, Outcome, Run, Started } from './contender.ts';
import type { ClosedSession } from './reference.ts';

export interface PeerOptions {
  /** What gives all sessions: suppression, or emission on close with a store kept longer. */
  readonly variant: 'suppress' | 'on-close';
  readonly tuned: boolean;
  readonly heap: string;
  readonly retentionMs: number;
  readonly cacheBytes: number;
  readonly compression: 'none' | 'lz4' | 'zstd' | 'snappy';
  readonly emitMs: number;
  /** For the virtual machine, beyond the heap's size. */
  readonly javaOptions: readonly string[];
}

/** The best that was found; docs/benchmarks.md says what was tried. */
export const TUNED: PeerOptions = {
  variant: 'suppress',
  tuned: true,
  heap: '512m',
  retentionMs: 2_100_001,
  cacheBytes: 64 << 20,
  compression: 'lz4',
  emitMs: 0,
  javaOptions: ['-XX:+UseSerialGC'],
};

const DIRECTORY = join(import.meta.dirname, '../peers/kafka-streams');

/** Java 17 and Maven, or what is missing. */
export function missingTool(): string | null {
  for (const [tool, parameter] of [
    ['java', '-version'],
    ['mvn', '--version'],
  ] as const) {
    if (spawnSync(tool, [parameter], { stdio: 'ignore' }).status !== 0) return tool;
  }
  return null;
}

export function buildPeer(): void {
  execFileSync('mvn', ['-q', '-B', 'package'], { cwd: DIRECTORY, stdio: 'inherit' });
}

export function kafkaStreams(options: PeerOptions, trial: string): Contender {
  const label = `kafkaStreams ${trial}`.trim();
  return { name: 'kafkaStreams', label, start: (run) => start(options, run) };
}

async function start(options: PeerOptions, run: Run): Promise<Started> {
  const output = `${run.prefix}sessions`;
  const application = `${run.prefix}streams`;
  await run.cluster.createTopic(output, run.partitions);
  const settings = {
    bootstrap: run.bootstrapServers,
    application,
    input: run.inputTopic,
    output,
    stateDir: join(run.folder, 'streams'),
    commitMs: run.commitMs,
    threads: run.threads,
    variant: options.variant,
    tuned: options.tuned,
    retentionMs: options.retentionMs,
    cacheBytes: options.cacheBytes,
    compression: options.compression,
    emitMs: options.emitMs,
  };
  const child = spawn(
    'java',
    [
      ...[`-Xms${options.heap}`, `-Xmx${options.heap}`, ...options.javaOptions],
      ...Object.entries(settings).map(([name, value]) => `-Drace.${name}=${value}`),
      // It would tell of each late event.
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      ...['-cp', `${DIRECTORY}/target/classes:${DIRECTORY}/target/lib/*`, 'lull.race.SessionRace'],
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    },
  );
  let dropped = Number.NaN;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    // The virtual machine may have something to say, too.
    if (!line.startsWith('{')) return;
    const said = JSON.parse(line);
    if ('dropped' in said) dropped = said.dropped;
  });
  const told = once(lines, 'close');
  const outcome = async (): Promise<Outcome> => {
    await told;
    const closed: ClosedSession[] = [];
    for await (const { key, value } of run.cluster.read(output)) {
      closed.push({
        userId: key.toString(),
        startMs: Number(value.readBigInt64BE(0)),
        endMs: Number(value.readBigInt64BE(8)),
        count: Number(value.readBigInt64BE(16)),
      });
    }
    return { closed, dropped };
  };
  return { child, group: application, outcome };
}
