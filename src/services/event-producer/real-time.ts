/** The shoppers in real time: what is due now, after short stalls and long ones. */
import type { Clock } from '../../ops/clock.ts';
import type { Load } from './load.ts';
import { type SentEvent, Shoppers } from './shoppers.ts';

/** Between two batches. */
export const TICK_MS = 50;
/** Behind by less it catches up, at no more than twice the pace; by more, the time was a lull. */
const MAX_BEHIND_MS = 10_000;
/** Of a longer turn only this much is made up for at once. */
const MAX_TURN_MS = 500;

export class RealTimeShoppers {
  readonly #clock: Clock;
  readonly #seed: number;
  #load: Load;
  #shoppers: Shoppers;
  #doneMs: number;
  #turnStartMs: number;

  /** Goes on with shoppers that are done up to a time; without any, fresh ones come in now. */
  constructor(
    clock: Clock,
    seed: number,
    load: Load,
    before: { shoppers: Shoppers; doneMs: number } | null,
  ) {
    this.#clock = clock;
    this.#seed = seed;
    this.#load = load;
    this.#doneMs = before?.doneMs ?? clock.nowMs();
    this.#shoppers = before?.shoppers ?? new Shoppers(seed, this.#doneMs, load);
    this.#shoppers.setLoad(load, this.#doneMs);
    this.#turnStartMs = clock.monotonicMs();
  }

  /** Events before this time have been taken. */
  get doneMs(): number {
    return this.#doneMs;
  }

  setLoad(load: Load): void {
    this.#load = load;
    this.#shoppers.setLoad(load, this.#doneMs);
  }

  /** The events that are due, at most `limit`, none at or after `endMs`. Call once every tick. */
  take(limit: number, endMs = Number.POSITIVE_INFINITY): SentEvent[] {
    const nowMs = this.#clock.nowMs();
    const turnMs = this.#clock.monotonicMs() - this.#turnStartMs;
    this.#turnStartMs += turnMs;
    if (Math.abs(nowMs - this.#doneMs) > MAX_BEHIND_MS) {
      this.#shoppers = new Shoppers(this.#seed, nowMs, this.#load);
      this.#doneMs = nowMs;
    }
    const reachMs = 2 * Math.min(Math.max(turnMs, TICK_MS), MAX_TURN_MS);
    const untilMs = Math.min(nowMs, this.#doneMs + reachMs, endMs);
    const taken = takeBefore(this.#shoppers, untilMs, limit);
    const last = taken.length < limit ? undefined : taken[limit - 1];
    this.#doneMs = last?.sentMs ?? Math.max(this.#doneMs, untilMs);
    return taken;
  }
}

/** The next events sent before a time, at most `limit`; fewer: there are no more before it. */
export function takeBefore(shoppers: Shoppers, beforeMs: number, limit: number): SentEvent[] {
  const taken: SentEvent[] = [];
  while (taken.length < limit) {
    const next = shoppers.next(beforeMs);
    if (next === null) break;
    taken.push(next);
  }
  return taken;
}
