/** A clock that stands still until it is told to go on. */
import type { Clock } from '../../src/ops/clock.ts';

export class VirtualClock implements Clock {
  #nowMs: number;
  /** The monotonic clock has nothing to do with wall time. */
  #monotonicMs = 12_345;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Whoever drives the simulation does not sleep, and nothing else may. */
  sleep(): Promise<void> {
    throw new Error('nothing sleeps in the simulation');
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
  }

  /** Somebody sets the wall clock; nothing else notices. */
  setWall(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
