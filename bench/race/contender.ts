/** One run of one contender: started, watched until all is committed, ended, and what it cost. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { ClosedSession } from './reference.ts';
import { usageOf } from './usage.ts';

/** What a run is given; names and folders are its own. */
export interface Run {
  readonly cluster: Cluster;
  readonly bootstrapServers: string;
  readonly brokerPid: number;
  readonly inputTopic: string;
  readonly events: number;
  readonly partitions: number;
  /** Of topics and groups. */
  readonly prefix: string;
  readonly folder: string;
  readonly commitMs: number;
  readonly threads: number;
}

export interface Contender {
  readonly name: 'lull' | 'kafkaStreams';
  /** Tells apart those that are tried with several settings. */
  readonly label: string;
  /** Creates what is the run's own and starts the program. */
  start(run: Run): Promise<Started>;
}

export interface Started {
  readonly child: ChildProcess;
  readonly group: string;
  /** What it did, asked after the program has ended. */
  outcome(): Promise<Outcome>;
}

export interface Outcome {
  readonly closed: ClosedSession[];
  readonly dropped: number;
}

export interface Cost {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly brokerCpuSeconds: number;
  readonly peakBytes: number;
  /** CPU before the clock ran: until its group was stable for the first time. */
  readonly startUpCpuSeconds: number;
}

const POLL_MS = 50;
/** A contender that makes no progress for this long has failed. */
const STUCK_MS = 120_000;

/**
 * The rule for both: the clock runs from the moment when the contender's group is stable, so it
 * knows its partitions and begins to read, until the group has committed every event of the input;
 * outputs are in the same transactions.
 */
export async function measure(contender: Contender, run: Run): Promise<[Cost, Outcome]> {
  const { child, group, outcome } = await contender.start(run);
  const pid = child.pid!;
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    await until(child, async () => ((await run.cluster.isStable(group)) ? 1 : 0), 1);
    const before = { ...usageOf(pid), broker: usageOf(run.brokerPid), at: performance.now() };
    await until(child, () => run.cluster.committed(group, run.inputTopic), run.events);
    const after = { ...usageOf(pid), broker: usageOf(run.brokerPid), at: performance.now() };
    await end(child);
    const cost: Cost = {
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      wallSeconds: (after.at - before.at) / 1000,
      brokerCpuSeconds: after.broker.cpuSeconds - before.broker.cpuSeconds,
      peakBytes: after.peakBytes,
      startUpCpuSeconds: before.cpuSeconds,
    };
    return [cost, await outcome()];
  } finally {
    await end(child);
    process.off('exit', kill);
  }
}

/** Asks again and again until the answer has reached `goal`. */
async function until(child: ChildProcess, ask: () => Promise<number>, goal: number) {
  let best = -1;
  let bestAt = performance.now();
  for (;;) {
    const now = await ask();
    if (now >= goal) return;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${child.spawnfile} ended at ${now} of ${goal}`);
    }
    if (now > best) bestAt = performance.now();
    best = Math.max(best, now);
    if (performance.now() - bestAt > STUCK_MS) {
      throw new Error(`${child.spawnfile} is stuck at ${now} of ${goal}`);
    }
    await sleep(POLL_MS);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const killing = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await ended;
  clearTimeout(killing);
}
