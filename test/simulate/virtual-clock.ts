/** A clock that stands still until it is told to go on. */
import type { Clock } from '../../src/ops/clock.ts';

export class VirtualClock implements Clock {
  #nowMs: number;
  /** Where the monotonic clock began: it has nothing to do with wall time. */
  readonly #bootMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
    this.#bootMs = nowMs - 12_345;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#bootMs;
  }

  /** Whoever drives the simulation does not sleep, and nothing else may. */
  sleep(): Promise<void> {
    throw new Error('nothing sleeps in the simulation');
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}
