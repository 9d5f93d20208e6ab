/** A trickle of users' live sessions asked through the gateway: who answered, and how long not. */
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 20;
const PATIENCE_MS = 10_000;

interface Query {
  readonly sentMs: number;
  readonly answeredMs: number;
  /** What the answer says it comes from; else its status and code, or that there was none. */
  readonly outcome: string;
}

export class Queries {
  readonly #url: string;
  readonly #users: number;
  readonly #queries: Query[] = [];
  readonly #waiting = new Set<Promise<void>>();
  #isStopped = false;
  #running: Promise<void>;

  constructor(gatewayUrl: string, users: number) {
    this.#url = gatewayUrl;
    this.#users = users;
    this.#running = this.#run();
  }

  /** Of those sent from then on to now, once they are answered. */
  async since(sentMs: number) {
    await Promise.all(this.#waiting);
    const asked = this.#queries.filter((query) => query.sentMs >= sentMs);
    const good = asked.filter(({ outcome }) => !/^\d|none/.test(outcome));
    const times = good.map(({ answeredMs }) => answeredMs).sort((one, other) => one - other);
    const gaps = times.slice(1).map((atMs, index) => atMs - times[index]!);
    const outcomes: Record<string, number> = {};
    for (const { outcome } of asked) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return {
      outcomes,
      slowestMs: Math.max(0, ...asked.map((query) => query.answeredMs - query.sentMs)),
      /** Between one good answer and the next. */
      longestGapMs: Math.max(0, ...gaps),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#waiting);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const asked = this.#ask().finally(() => this.#waiting.delete(asked));
      this.#waiting.add(asked);
      await sleep(EVERY_MS);
    }
  }

  async #ask(): Promise<void> {
    const sentMs = performance.now();
    const user = Math.floor(Math.random() * this.#users);
    let outcome = 'none';
    try {
      const answer = await fetch(`${this.#url}/api/sessions/active/user-${user}`, {
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const { source, error } = (await answer.json()) as {
        source?: string;
        error?: { code: string };
      };
      outcome = source ?? `${answer.status} ${error?.code}`;
    } catch {
      // It stays without an answer.
    }
    this.#queries.push({ sentMs, answeredMs: performance.now(), outcome });
  }
}
