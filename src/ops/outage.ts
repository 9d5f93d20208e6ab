/** What to do while something can't be reached: wait ever longer, say so, again once a minute. */
import { LullError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
const REPEAT_MS = 60_000;

export interface OutageOptions {
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  /** Said with the reason while it lasts. */
  readonly down: string;
  /** Said when it is over. */
  readonly up: string;
}

export class Outage {
  readonly #options: OutageOptions;
  #waitMs = FIRST_WAIT_MS;
  #saidMs = 0;
  /** Null while all is well. */
  reason: string | null = null;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Says it when it is new, and once a minute. */
  note(error: unknown): void {
    const { clock, logger, down } = this.#options;
    const nowMs = clock.monotonicMs();
    const isNew = this.reason === null;
    this.reason = error instanceof Error ? error.message : String(error);
    if (!isNew && nowMs - this.#saidMs < REPEAT_MS) return;
    this.#saidMs = nowMs;
    // What went wrong outside is told in words; only a defect needs its stack.
    const fields = error instanceof LullError ? { reason: this.reason } : { err: error };
    logger?.error(fields, down);
  }

  async wait(error: unknown, signal?: AbortSignal): Promise<void> {
    this.note(error);
    await this.#options.clock.sleep(this.#waitMs, signal);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  over(): void {
    if (this.reason === null) return;
    this.reason = null;
    this.#waitMs = FIRST_WAIT_MS;
    this.#options.logger?.info(this.#options.up);
  }
}
