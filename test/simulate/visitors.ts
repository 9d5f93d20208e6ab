/** Events of a simulated log: disorder, duplicates, and times crowded around every boundary. */
import type { SessionDefinition } from '../../src/core/definition.ts';
import { partitionOf } from '../../src/core/hash.ts';
import type { NewRecord } from '../../src/log/log.ts';
import type { VirtualClock } from './virtual-clock.ts';

const TYPES = ['PAGE_VIEW', 'PAGE_VIEW', 'PAGE_VIEW', 'CLICK', 'SEARCH', 'ADD_TO_CART', 'PURCHASE'];
const KEPT_TIMES = 8;

/** One partition is left alone much of the time, so that it falls silent. */
export class Visitors {
  readonly #definition: SessionDefinition;
  readonly #partitionCount: number;
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #withIds: boolean;
  readonly users: readonly string[];
  /** The newest event times by user. */
  readonly #times = new Map<string, number[]>();
  readonly #produced: NewRecord[] = [];
  #count = 0;

  constructor(options: {
    readonly definition: SessionDefinition;
    readonly partitionCount: number;
    readonly clock: VirtualClock;
    readonly random: () => number;
    /** Without ids duplicates can't be told, so there are none. */
    readonly withIds: boolean;
  }) {
    this.#definition = options.definition;
    this.#partitionCount = options.partitionCount;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#withIds = options.withIds;
    this.users = Array.from({ length: 2 + this.#below(6) }, (_, index) => `user-${index}`);
  }

  next(): NewRecord {
    const luck = this.#random();
    let record: NewRecord;
    if (luck < 0.02) record = this.#unusable();
    else if (luck < 0.1 && this.#withIds && this.#produced.length > 0) record = this.#again();
    else record = this.#event();
    this.#produced.push(record);
    return record;
  }

  /** An event that was under way for so long. */
  delayed(byMs: number): NewRecord {
    const record = this.#event(Math.floor(this.#clock.nowMs() - byMs));
    this.#produced.push(record);
    return record;
  }

  /** An event of a user of its own, now. */
  ownEvent(partition: number): NewRecord {
    for (let attempt = 0; ; attempt++) {
      const userId = `last-${attempt}`;
      if (partitionOf(userId, this.#partitionCount) !== partition) continue;
      return this.#record(userId, { userId, eventType: 'CLICK', timestamp: this.#clock.nowMs() });
    }
  }

  #event(at?: number): NewRecord {
    const userId = this.#pick(this.users);
    const timestamp = at ?? Math.floor(this.#time(userId));
    this.#times.set(userId, [timestamp, ...this.#timesOf(userId)].slice(0, KEPT_TIMES));
    const { endTypes } = this.#definition;
    const ends = endTypes.length > 0 && this.#random() < 0.06;
    const eventType = ends ? endTypes[0]! : this.#pick(TYPES);
    const event: Record<string, unknown> = { userId, eventType, timestamp };
    if (this.#withIds) event['eventId'] = `event-${this.#count++}`;
    if (this.#random() < 0.7) event['page'] = this.#pick(['/', '/cart', '/shoes', '/thanks']);
    if (this.#random() < 0.3) event['device'] = this.#pick(['mobile', 'desktop']);
    if (this.#random() < 0.3) event['referrer'] = 'https://www.example.org/';
    if (this.#random() < 0.3) event['utm'] = { source: 'letter', medium: 'email' };
    if (this.#random() < 0.5) event['amount'] = Math.round(this.#random() * 10_000) / 100;
    if (this.#random() < 0.4) event['currency'] = this.#pick(['EUR', 'usd', 'CHF']);
    return this.#record(userId, event);
  }

  #time(userId: string): number {
    const { gapMs, tiersMs, maxFutureMs } = this.#definition;
    const luck = this.#random();
    const nowMs = this.#clock.nowMs();
    const tierMs = this.#pick(tiersMs);
    // A little to either side of a boundary, or on it.
    const beside = this.#pick([-1, 0, 0, 1]);
    if (luck < 0.35) return this.#arrive(nowMs + this.#random() * (gapMs / 3));
    if (luck < 0.55) {
      const apartMs = this.#pick([gapMs, -gapMs, gapMs + 1, -gapMs - 1, gapMs / 2, 0]);
      return this.#arrive(this.#pick(this.#timesOf(userId)) + apartMs);
    }
    if (luck < 0.63) {
      const other = this.#pick(this.users);
      return this.#arrive(this.#pick(this.#timesOf(other)) + gapMs + tierMs + beside);
    }
    if (luck < 0.75) return nowMs - this.#random() * (gapMs + tiersMs[0]!);
    if (luck < 0.88) return nowMs - gapMs - tierMs + beside - this.#random() * beside * gapMs;
    if (luck < 0.92) return nowMs - gapMs - tiersMs.at(-1)! - this.#random() * gapMs;
    if (luck < 0.96) return nowMs + this.#random() * maxFutureMs;
    return nowMs + maxFutureMs + Math.max(0, beside);
  }

  /** Time goes on to when the event happens. */
  #arrive(timeMs: number): number {
    const aheadMs = Math.ceil(timeMs - this.#clock.nowMs());
    if (aheadMs > 0) this.#clock.advance(aheadMs);
    return timeMs;
  }

  #again(): NewRecord {
    const recent = this.#produced.slice(-40);
    return this.#pick(this.#random() < 0.8 ? recent : this.#produced);
  }

  #unusable(): NewRecord {
    const userId = this.#pick(this.users);
    const [record, ...others] = [
      this.#record(userId, { userId, eventType: 'CLICK' }),
      this.#record(userId, 'no object'),
      this.#record(userId, { userId, eventType: 'CLICK', timestamp: this.#clock.nowMs() }),
    ];
    if (this.#random() < 0.5) return this.#pick([record!, others[0]!]);
    // In the wrong partition, where there is another.
    const { partition } = others[1]!;
    const next = (partition + 1) % this.#partitionCount;
    return this.#partitionCount === 1 ? record! : { ...others[1]!, partition: next };
  }

  #record(userId: string, value: unknown): NewRecord {
    const partition = partitionOf(userId, this.#partitionCount);
    return { partition, key: userId, value: Buffer.from(JSON.stringify(value)) };
  }

  #timesOf(userId: string): readonly number[] {
    return this.#times.get(userId) ?? [this.#clock.nowMs()];
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
