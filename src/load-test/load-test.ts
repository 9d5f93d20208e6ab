/** A load test from beginning to end: the load, questions meanwhile, and what became of it all. */
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import { Load, type LoadPlan } from './load.ts';
import { Queries, Visibility } from './probes.ts';
import { Target } from './target.ts';

export interface LoadTestOptions extends LoadPlan {
  readonly url: string;
  /** Of services that have ports of their own; those that don't answer are left out. */
  readonly services: readonly string[];
  readonly token: string | null;
  readonly clock: Clock;
  /** Ends the load early; what was sent is still looked for. */
  readonly signal: AbortSignal;
  readonly onProgress: (line: () => string) => void;
}

export interface LoadTestResult {
  readonly load: Load;
  readonly visibility: Visibility;
  readonly queries: Queries;
  /** Accepted events that no session of their user has. */
  readonly lost: number;
  /** Events that sessions have beyond those that were sent. */
  readonly surplus: number;
  /** The most that all processes together had, where they say so. */
  readonly residentBytes: number;
}

const READY_WITHIN_MS = 300_000;
const LOOK_MS = 500;
const POST_CONNECTIONS = 64;
/** One each for probes and queries, which never wait for each other. */
const PROBE_CONNECTIONS = 16;
const CHECKERS = 16;
/** For what was accepted last to be seen. */
const SETTLE_MS = 30_000;
const MEMORY_EVERY_MS = 2000;

/** Rejects with `target_unavailable` when nothing answers, or nothing becomes ready. */
export async function runLoadTest(options: LoadTestOptions): Promise<LoadTestResult> {
  const { url, token, clock, signal, users, run } = options;
  const posts = new Target(url, token, POST_CONNECTIONS);
  const main = new Target(url, token, PROBE_CONNECTIONS);
  const services = options.services.map((service) => new Target(service, token, 2));
  try {
    await untilReady(main, options);
    const load = new Load(posts, clock, options);
    const visibility = new Visibility(main, clock);
    const state = await servesState([main, ...services]);
    const queries = new Queries((route) => (route === '/state/:userId' ? state : main), clock);
    const memory = new Memory([main, ...services], clock);
    const done = new AbortController();
    const meanwhile = [
      visibility.run(run, done.signal),
      queries.run(load, users, done.signal),
      memory.watch(done.signal),
    ];
    await load.run(signal, () => {
      options.onProgress(() => progressLine(load, visibility));
    });
    done.abort();
    await Promise.all(meanwhile);
    const found = await lookForAll(load, main, options);
    return { load, visibility, queries, ...found, residentBytes: memory.peakBytes };
  } finally {
    for (const target of [posts, main, ...services]) target.close();
  }
}

async function untilReady(target: Target, { clock, onProgress }: LoadTestOptions): Promise<void> {
  const startMs = clock.monotonicMs();
  for (;;) {
    const { status, text } = await target.get('ready');
    if (status === 200) return;
    const reason = status === 0 ? text : `not ready: ${status}`;
    if (status === 0 || clock.monotonicMs() - startMs > READY_WITHIN_MS) {
      throw new LullError('target_unavailable', `${target.url}: ${reason}`);
    }
    onProgress(() => 'waiting until it is ready');
    await clock.sleep(LOOK_MS);
  }
}

/** In one process all are on one port; else the session-processor has one of its own. */
async function servesState(targets: readonly Target[]): Promise<Target | null> {
  for (const target of targets) {
    const { status, body } = await target.get('state/nobody');
    const { code } = Object(body['error']) as { code?: string };
    if (status !== 0 && code !== 'not_found') return target;
  }
  return null;
}

function progressLine(load: Load, { durations }: Visibility): string {
  const visible = `visible after ${durations.percentile(50).toFixed(0)} ms`;
  const errors = [...load.errors.values()].reduce((sum, count) => sum + count, 0);
  return `${load.sent} events sent, ${load.acceptedCount} accepted, ${errors} errors, ${visible}`;
}

/** Every event that was accepted is in the live session of its user, once. */
async function lookForAll(
  load: Load,
  target: Target,
  { users, clock, onProgress }: LoadTestOptions,
): Promise<{ lost: number; surplus: number }> {
  const untilMs = clock.monotonicMs() + SETTLE_MS;
  let next = 0;
  let [lost, surplus] = [0, 0];
  async function check(): Promise<void> {
    while (next < users) {
      const user = next++;
      onProgress(() => `looking for what was sent: ${next} of ${users} users`);
      const counted = await countOf(user);
      lost += Math.max(0, load.accepted(user) - counted);
      surplus += Math.max(0, counted - load.accepted(user) - load.uncertain(user));
    }
  }
  async function countOf(user: number): Promise<number> {
    for (;;) {
      const { body } = await target.get(`api/sessions/active/${load.userId(user)}`);
      const counted = Number(body['eventCount'] ?? 0);
      if (counted >= load.accepted(user) || clock.monotonicMs() > untilMs) return counted;
      await clock.sleep(LOOK_MS);
    }
  }
  await Promise.all(Array.from({ length: CHECKERS }, check));
  return { lost, surplus };
}

/** What the processes take, as their metrics tell. */
class Memory {
  peakBytes = 0;
  readonly #targets: readonly Target[];
  readonly #clock: Clock;

  constructor(targets: readonly Target[], clock: Clock) {
    this.#targets = targets;
    this.#clock = clock;
  }

  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const answers = await Promise.all(this.#targets.map((target) => target.get('metrics')));
      const bytes = answers.map(({ text }) =>
        Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? 0),
      );
      this.peakBytes = Math.max(
        this.peakBytes,
        bytes.reduce((sum, one) => sum + one, 0),
      );
      await this.#clock.sleep(MEMORY_EVERY_MS, signal);
    }
  }
}
