/** Bounds how many events a second one address sends: the generic cell rate algorithm (GCRA). */
import type { Clock } from '../../ops/clock.ts';

/** How much may come at once after a lull: a second's worth. */
const BURST_MS = 1000;
/** Addresses remembered; of more, those that have not sent for the longest time begin anew. */
const MAX_ADDRESSES = 10_000;
/** What sums of fractions may be off by. */
const ROUNDING_MS = 1e-6;

/**
 * A request is let in while there is room for one event, and then costs as many as it has. So a
 * batch may be larger than the burst, and the next one waits for it: over time the rate holds.
 */
export class IntakeRate {
  readonly #msPerEvent: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** When what each address has sent is paid for; the last to send is last. */
  readonly #paidAtMs = new Map<string, number>();

  constructor(ratePerSecond: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#msPerEvent = 1000 / ratePerSecond;
    this.#clock = clock;
  }

  /** Milliseconds until this address may send; 0 when it may now. */
  waitMs(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const owedMs = Math.max(0, (this.#paidAtMs.get(address) ?? nowMs) - nowMs);
    const roomMs = Math.max(BURST_MS, this.#msPerEvent) - this.#msPerEvent;
    return Math.max(0, Math.ceil(owedMs - roomMs - ROUNDING_MS));
  }

  charge(address: string, events: number): void {
    const fromMs = Math.max(this.#paidAtMs.get(address) ?? 0, this.#clock.monotonicMs());
    this.#paidAtMs.delete(address);
    this.#paidAtMs.set(address, fromMs + events * this.#msPerEvent);
    if (this.#paidAtMs.size > MAX_ADDRESSES) {
      this.#paidAtMs.delete(this.#paidAtMs.keys().next().value!);
    }
  }
}
