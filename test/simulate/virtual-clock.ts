/** A clock that stands still until it is told to go on. */
import type { Clock } from '../../src/ops/clock.ts';

export class VirtualClock implements Clock {
  #nowMs: number;
  /** The monotonic clock has nothing to do with wall time. */
  #monotonicMs = 12_345;
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { untilMs: this.#monotonicMs + durationMs, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        resolve();
      });
    });
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > this.#monotonicMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  /** Somebody sets the wall clock; nothing else notices. */
  setWall(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
