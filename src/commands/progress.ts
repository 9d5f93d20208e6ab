/** Progress of long work: one line on standard error that changes in place, on a terminal only. */
import type { Clock } from '../ops/clock.ts';

const EVERY_MS = 200;

export class Progress {
  readonly #clock: Clock;
  #shownMs = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Shows a line instead of the last one, now and then. */
  show(line: () => string): void {
    const nowMs = this.#clock.monotonicMs();
    if (!process.stderr.isTTY || nowMs - this.#shownMs < EVERY_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    process.stderr.write(`\r\x1b[K${line().slice(0, process.stderr.columns - 1)}`);
  }

  /** Takes the line away, and says how it ended. */
  end(line: string): void {
    process.stderr.write(`${this.#isShown ? '\r\x1b[K' : ''}${line}\n`);
  }
}
