/** The figures of a session: independent of the order of its events, and mergeable. */
import type { EventFacts } from './event.ts';
import { hash53 } from './hash.ts';
import { SmallestNames } from './smallest-names.ts';

/** Events at each end of a session that its trail keeps. */
export const TRAIL_ENDS = 10;
/** Distinct pages that are counted; they are the ones with the smallest hashes. */
export const MAX_PAGES = 64;

export interface TypeFigure {
  count: number;
  firstTime: number;
}

export interface MoneyFigure {
  micros: bigint;
}

/** Where something was seen. Events are kept as they are, of others only what is told of them. */
export type Seen = Pick<EventFacts, 'timestamp' | 'idHash'>;
export type TrailEntry = Seen & Pick<EventFacts, 'eventType' | 'page'>;
export type PageSeen = Seen & Pick<EventFacts, 'page'>;
export type DeviceSeen = Seen & Pick<EventFacts, 'device'>;
export type Attribution = Seen &
  Pick<EventFacts, 'referrer' | 'utmSource' | 'utmMedium' | 'utmCampaign'>;

const newType = (): TypeFigure => ({ count: 0, firstTime: Number.POSITIVE_INFINITY });
const newMoney = (): MoneyFigure => ({ micros: 0n });

/**
 * Every field is a sum, a minimum, a maximum or a bounded set of smallest things, so merging is
 * associative and commutative and a fresh `Figures` is its unit.
 */
export class Figures {
  readonly types = new SmallestNames<TypeFigure>(newType);
  /** Sums of amounts by currency. */
  readonly revenue = new SmallestNames<MoneyFigure>(newMoney);
  readonly cartValue = new SmallestNames<MoneyFigure>(newMoney);
  /** Sums over all currencies, from which the part of evicted ones is derived. */
  revenueMicros = 0n;
  cartMicros = 0n;
  pageViews = 0;
  searches = 0;
  addToCarts = 0;
  purchases = 0;
  firstConversionTime = Number.POSITIVE_INFINITY;
  entry: PageSeen | null = null;
  exit: PageSeen | null = null;
  device: DeviceSeen | null = null;
  attribution: Attribution | null = null;
  /** Hashes of distinct pages, at most MAX_PAGES, in no order. */
  pages: number[] = [];
  pagesTruncated = false;
  /** By time and id; the first and last TRAIL_ENDS events. */
  trail: TrailEntry[] = [];
  trailTruncated = false;

  add(event: EventFacts): void {
    const { timestamp, eventType } = event;
    const type = this.types.claim(eventType);
    if (type !== null) {
      type.count++;
      if (timestamp < type.firstTime) type.firstTime = timestamp;
    }
    this.#addByType(event);
    if (event.page !== null) this.#addPage(event, event.page);
    if (event.device !== null) this.device = earlierOf(this.device, event);
    this.attribution = earlierOf(this.attribution, event);
    this.#addToTrail(event);
  }

  /** Takes in another session's figures, which must not be used afterwards. */
  merge(other: Figures): void {
    for (const [index, name] of other.types.names.entries()) {
      const type = this.types.claim(name);
      if (type === null) continue;
      const theirs = other.types.values[index]!;
      type.count += theirs.count;
      type.firstTime = Math.min(type.firstTime, theirs.firstTime);
    }
    mergeMoney(this.revenue, other.revenue);
    mergeMoney(this.cartValue, other.cartValue);
    this.revenueMicros += other.revenueMicros;
    this.cartMicros += other.cartMicros;
    this.pageViews += other.pageViews;
    this.searches += other.searches;
    this.addToCarts += other.addToCarts;
    this.purchases += other.purchases;
    this.firstConversionTime = Math.min(this.firstConversionTime, other.firstConversionTime);
    this.entry = earlierOf(this.entry, other.entry);
    this.exit = laterOf(this.exit, other.exit);
    this.device = earlierOf(this.device, other.device);
    this.attribution = earlierOf(this.attribution, other.attribution);
    for (const page of other.pages) this.#countPage(page);
    this.pagesTruncated ||= other.pagesTruncated;
    this.#mergeTrail(other);
  }

  #addByType(event: EventFacts): void {
    switch (event.eventType) {
      case 'PAGE_VIEW':
        this.pageViews++;
        break;
      case 'SEARCH':
        this.searches++;
        break;
      case 'ADD_TO_CART':
        this.addToCarts++;
        if (event.amountMicros !== null) {
          this.cartMicros += event.amountMicros;
          addMoney(this.cartValue, event.currency!, event.amountMicros);
        }
        break;
      case 'PURCHASE':
        this.purchases++;
        if (event.timestamp < this.firstConversionTime) this.firstConversionTime = event.timestamp;
        if (event.amountMicros !== null) {
          this.revenueMicros += event.amountMicros;
          addMoney(this.revenue, event.currency!, event.amountMicros);
        }
    }
  }

  #addPage(event: EventFacts, page: string): void {
    this.entry = earlierOf(this.entry, event);
    const before = this.exit;
    this.exit = laterOf(before, event);
    // Reloads and clicks on one page come in a row: it is counted already.
    if (before === null || before.page !== page) this.#countPage(hash53(page));
  }

  #countPage(page: number): void {
    if (this.pages.includes(page)) return;
    if (this.pages.length < MAX_PAGES) {
      this.pages.push(page);
      return;
    }
    this.pagesTruncated = true;
    let largest = 0;
    for (const each of this.pages) if (each > largest) largest = each;
    if (page < largest) this.pages[this.pages.indexOf(largest)] = page;
  }

  #addToTrail(entry: TrailEntry): void {
    const trail = this.trail;
    let at = trail.length;
    while (at > 0 && isEarlier(entry, trail[at - 1]!)) at--;
    if (trail.length < 2 * TRAIL_ENDS) {
      if (at === trail.length) trail.push(entry);
      else trail.splice(at, 0, entry);
      return;
    }
    this.trailTruncated = true;
    if (at === TRAIL_ENDS) return;
    if (at < TRAIL_ENDS) {
      trail.copyWithin(at + 1, at, TRAIL_ENDS - 1);
      trail[at] = entry;
    } else {
      trail.copyWithin(TRAIL_ENDS, TRAIL_ENDS + 1, at);
      trail[at - 1] = entry;
    }
  }

  #mergeTrail(other: Figures): void {
    const all = [...this.trail, ...other.trail].sort(byTime);
    this.trailTruncated ||= other.trailTruncated || all.length > 2 * TRAIL_ENDS;
    this.trail =
      all.length <= 2 * TRAIL_ENDS
        ? all
        : [...all.slice(0, TRAIL_ENDS), ...all.slice(all.length - TRAIL_ENDS)];
  }
}

function addMoney(sums: SmallestNames<MoneyFigure>, currency: string, micros: bigint): void {
  const sum = sums.claim(currency);
  if (sum !== null) sum.micros += micros;
}

function mergeMoney(into: SmallestNames<MoneyFigure>, from: SmallestNames<MoneyFigure>): void {
  for (const [index, currency] of from.names.entries()) {
    addMoney(into, currency, from.values[index]!.micros);
  }
}

function isEarlier(one: Seen, than: Seen): boolean {
  const time = one.timestamp;
  return time < than.timestamp || (time === than.timestamp && one.idHash < than.idHash);
}

function earlierOf<T extends Seen>(one: T | null, other: T | null): T | null {
  if (one === null || other === null) return one ?? other;
  return isEarlier(other, one) ? other : one;
}

function laterOf<T extends Seen>(one: T | null, other: T | null): T | null {
  if (one === null || other === null) return one ?? other;
  return isEarlier(one, other) ? other : one;
}

function byTime(one: Seen, other: Seen): number {
  return one.timestamp - other.timestamp || one.idHash - other.idHash;
}
