/** Deletes sessions that are too old, in small steps between the batches. */
import type { History } from '../../history/history.ts';
import type { Clock } from '../../ops/clock.ts';

export interface ExpiryOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly retainSessionsMs: number;
}

const INTERVAL_MS = 60_000;
/** Deleted at once, so that batches don't wait long. */
const STEP_SESSIONS = 1000;

export class Expiry {
  readonly #options: ExpiryOptions;
  #dueMs: number;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    this.#dueMs = options.clock.monotonicMs();
  }

  dueInMs(monotonicMs: number): number {
    return Math.max(0, this.#dueMs - monotonicMs);
  }

  /** Does a step when one is due; true when another one should follow soon. */
  async step(): Promise<boolean> {
    const { history, clock, retainSessionsMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#dueMs) return false;
    if ((await history.expire(clock.nowMs() - retainSessionsMs, STEP_SESSIONS)) === STEP_SESSIONS) {
      return true;
    }
    this.#dueMs = nowMs + INTERVAL_MS;
    return false;
  }
}
