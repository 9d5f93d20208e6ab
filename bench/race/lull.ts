/** Lull in the race: `lull run session-processor` in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Contender, Outcome, Run, Started } from './contender.ts';
import type { ClosedSession } from './reference.ts';

/** Its topics, but for the input, which stays. */
const OWN_TOPICS = ['sessions', 'late-events', 'rejected-events', 'session-state-changelog'];
const GROUP = 'lull-session-processor';

/** What runs: the processor without a live cache, or as it is with all that belongs to it. */
export type LullVariant = 'alone' | 'redis';

const PROGRAMS: Readonly<Record<LullVariant, readonly string[]>> = {
  alone: ['lull-processor.ts'],
  redis: ['../../src/main.ts', 'run', 'session-processor'],
};

export interface LullOptions {
  readonly variant: LullVariant;
  readonly redisUrl: string;
  readonly tiers: string;
  /** Beyond those of every run: servers, flags of a trial. */
  readonly environment: Readonly<Record<string, string>>;
  /** For Node itself: a CPU profile, say. */
  readonly nodeOptions: readonly string[];
}

export function lull(options: LullOptions): Contender {
  return { name: 'lull', label: 'lull', start: (run) => start(options, run) };
}

async function start(options: LullOptions, run: Run): Promise<Started> {
  await run.cluster.deleteTopics((topic) => OWN_TOPICS.includes(topic));
  await run.cluster.deleteGroup(GROUP);
  const [program, ...words] = PROGRAMS[options.variant];
  const child = spawn(
    process.execPath,
    [...options.nodeOptions, join(import.meta.dirname, program!), ...words],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        KAFKA_BOOTSTRAP_SERVERS: run.bootstrapServers,
        REDIS_URL: options.redisUrl,
        LULL_DATA: join(run.folder, 'lull'),
        LULL_TIERS: options.tiers,
        LULL_COMMIT_INTERVAL: `${run.commitMs}ms`,
        LULL_PARTITIONS: `${run.partitions}`,
        // The peer knows no bounds of a session.
        LULL_MAX_DURATION: '0s',
        LULL_MAX_EVENTS: '0',
        // A busy machine is not silence.
        LULL_IDLE: '1d',
        PORT: '0',
        LOG_LEVEL: 'warn',
        ...options.environment,
      },
    },
  );
  return { child, group: GROUP, outcome: () => outcome(run) };
}

async function outcome(run: Run): Promise<Outcome> {
  const closed: ClosedSession[] = [];
  for await (const { value } of run.cluster.read('sessions')) {
    const session = JSON.parse(value.toString());
    // Told when one session absorbs another, sent before or not.
    if (session.state === 'merged') continue;
    closed.push({
      userId: session.userId,
      startMs: Date.parse(session.startTime),
      endMs: Date.parse(session.endTime),
      count: session.eventCount,
    });
  }
  let dropped = 0;
  for await (const _ of run.cluster.read('late-events')) dropped++;
  return { closed, dropped };
}
