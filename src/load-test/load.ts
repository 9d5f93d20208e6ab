/**
 * Events at a rate, whatever the system makes of them: requests begin when they are due, and what
 * was accepted is remembered user by user.
 */
import type { Clock } from '../ops/clock.ts';
import type { Target } from './target.ts';

export interface LoadPlan {
  readonly eventsPerSecond: number;
  readonly users: number;
  /** From 0 to the whole rate. */
  readonly rampMs: number;
  /** At the whole rate. */
  readonly holdMs: number;
  /** Before the names of users: no other run has them. */
  readonly run: string;
}

const TICK_MS = 20;
const BATCH_EVENTS = 500;
/** A system that is slower than the rate gets no more requests than these at a time. */
const MAX_UNDER_WAY = 64;
const TYPES = ['PAGE_VIEW', 'CLICK', 'PAGE_VIEW', 'SEARCH', 'PAGE_VIEW', 'ADD_TO_CART'];

export class Load {
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #plan: LoadPlan;
  readonly #accepted: Uint32Array;
  readonly #uncertain: Uint32Array;
  readonly #underWay = new Set<Promise<void>>();
  /** Events that requests were made of. */
  sent = 0;
  acceptedCount = 0;
  /** Accepted of those sent at the whole rate, and the time that took. */
  heldCount = 0;
  heldMs = 0;
  requests = 0;
  /** By what was answered instead of 202 with all accepted. */
  readonly errors = new Map<string, number>();

  constructor(target: Target, clock: Clock, plan: LoadPlan) {
    this.#target = target;
    this.#clock = clock;
    this.#plan = plan;
    this.#accepted = new Uint32Array(plan.users);
    this.#uncertain = new Uint32Array(plan.users);
  }

  userId(user: number): string {
    return `load-${this.#plan.run}-${user}`;
  }

  /** Events of the user that were accepted. */
  accepted(user: number): number {
    return this.#accepted[user]!;
  }

  /** Events of the user that may have been taken although that was not said. */
  uncertain(user: number): number {
    return this.#uncertain[user]!;
  }

  /** Resolves when all is sent and answered, or soon after the signal. */
  async run(signal: AbortSignal, onTick: () => void): Promise<void> {
    const { rampMs, holdMs } = this.#plan;
    const startMs = this.#clock.monotonicMs();
    for (let passedMs = 0; passedMs < rampMs + holdMs && !signal.aborted; ) {
      await this.#clock.sleep(TICK_MS, signal);
      passedMs = Math.min(this.#clock.monotonicMs() - startMs, rampMs + holdMs);
      this.#sendDue(passedMs);
      onTick();
    }
    await Promise.all(this.#underWay);
    this.heldMs = Math.max(1, this.#clock.monotonicMs() - startMs - rampMs);
  }

  #sendDue(passedMs: number): void {
    const { eventsPerSecond, rampMs, users } = this.#plan;
    const rampedMs = Math.min(passedMs, rampMs);
    const atFullRateMs = passedMs - rampedMs + (rampMs === 0 ? 0 : rampedMs ** 2 / (2 * rampMs));
    const due = Math.floor((atFullRateMs * eventsPerSecond) / 1000);
    while (this.sent < due && this.#underWay.size < MAX_UNDER_WAY) {
      const batch = Array.from({ length: Math.min(BATCH_EVENTS, due - this.sent) }, () =>
        this.#event(this.sent++ % users),
      );
      const posting = this.#post(batch, passedMs > rampMs).finally(() =>
        this.#underWay.delete(posting),
      );
      this.#underWay.add(posting);
    }
  }

  #event(user: number) {
    const eventId = `${this.#plan.run}-${this.sent}`;
    const eventType = TYPES[this.sent % TYPES.length]!;
    const page = `/products/${this.sent % 97}`;
    const timestamp = this.#clock.nowMs();
    return { user, event: { eventId, userId: this.userId(user), eventType, timestamp, page } };
  }

  async #post(batch: readonly { user: number; event: object }[], isHeld: boolean): Promise<void> {
    this.requests++;
    const { status, body } = await this.#target.postEvents(batch.map(({ event }) => event));
    const isWhole = status === 202 && body['accepted'] === batch.length;
    for (const { user } of batch) {
      const counts = isWhole ? this.#accepted : this.#uncertain;
      counts[user]!++;
    }
    if (!isWhole) return this.#note(status, body);
    this.acceptedCount += batch.length;
    if (isHeld) this.heldCount += batch.length;
  }

  #note(status: number, body: Readonly<Record<string, unknown>>): void {
    const { code = 'not all accepted' } = Object(body['error']) as { code?: string };
    const what = status === 0 ? 'no answer' : `${status} ${code}`;
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
  }
}
