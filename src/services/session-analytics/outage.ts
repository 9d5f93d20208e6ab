/** What to do while history can't be written: wait ever longer, say so once, then once a minute. */
import { LullError } from '../../errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { Logger } from '../../ops/logger.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
const REPEAT_MS = 60_000;

export class Outage {
  readonly #clock: Clock;
  readonly #logger: Logger | null;
  #waitMs = FIRST_WAIT_MS;
  #saidMs = 0;
  /** Null while all is well. */
  reason: string | null = null;

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger?: Logger }) {
    this.#clock = clock;
    this.#logger = logger ?? null;
  }

  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const isNew = this.reason === null;
    this.reason = error instanceof Error ? error.message : String(error);
    if (isNew || nowMs - this.#saidMs >= REPEAT_MS) {
      this.#saidMs = nowMs;
      // What went wrong outside is told in words; only a defect needs its stack.
      const fields = error instanceof LullError ? { reason: this.reason } : { err: error };
      this.#logger?.error(fields, 'sessions can not be brought into history: trying again');
    }
    await this.#clock.sleep(this.#waitMs, signal);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  over(): void {
    if (this.reason === null) return;
    this.reason = null;
    this.#waitMs = FIRST_WAIT_MS;
    this.#logger?.info('sessions are brought into history again');
  }
}
