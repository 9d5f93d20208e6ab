/** All shoppers together: one endless, repeatable stream of events, in the order of sending. */
import { hash53 } from '../../core/hash.ts';
import type { Load } from './load.ts';
import { TimeQueue } from './queue.ts';
import { Random } from './random.ts';
import type { ShopEvent } from './shop-event.ts';
import {
  act,
  regularVisit,
  restOfThinkingTimeMs,
  restOfVisit,
  startVisit,
  thinkingTimeMs,
  VISITS,
  type Visit,
} from './visit.ts';

/** An event and when the client sends it: later than its timestamp if the network is slow. */
export interface SentEvent {
  readonly sentMs: number;
  readonly event: ShopEvent;
}

/** Begins every event id of the simulator. */
export const EVENT_ID_PREFIX = 'sim-';
/** Comes back every 31 to 34 minutes, so that it always has a live session and a history. */
const REGULAR_USER = 'user-1';
const REGULAR_LULL_MS = [31 * 60_000, 34 * 60_000] as const;

/** Each place in the shop is taken by these many users in turn: what bounds the population. */
const USERS_PER_PLACE = 100;
/**
 * The next visitor of a place is up to this many further on: a user stays away 20 visits or more.
 */
const MAX_STRIDE = 5;

/** How the network treats events. A retry sends the same event again, id and all. */
const RETRY_SHARE = 0.01;
const MAX_RETRY_MS = 30_000;
const SLOW_SHARE = 0.02;
const MAX_SLOW_MS = 20_000;
const OFFLINE_SHARE = 0.003;
const OFFLINE_MS = [60_000, 240_000] as const;
/** Long offline: past a session's closing, so that some sessions are amended. */
const LONG_OFFLINE_SHARE = 0.0005;
const LONG_OFFLINE_MS = [36 * 60_000, 60 * 60_000] as const;

/** A surplus or lack of events is made good within about this many thinking times, or this time. */
const PACE_CORRECTION_THINKS = 5;
const MIN_PACE_CORRECTION_MS = 5000;
const MAX_PACE_CORRECTION = 0.7;

/** One place in the shop: a visit, and after it the next user's. */
interface Shopper {
  /** -1: the regular. */
  readonly place: number;
  /** Whose turn it is at this place. */
  turn: number;
  visit: Visit | null;
  lastActionMs: number;
}

/** The same seed, start and loads give the same events, however they are asked for. */
export class Shoppers {
  readonly #random: Random;
  readonly #idPrefix: string;
  #load: Load;
  #thinkMs: number;
  #due = new TimeQueue<Shopper>();
  readonly #onTheWay = new TimeQueue<ShopEvent>();
  #eventCount = 0;
  /** Sent since `#paceSinceMs`; against what the rate asks for, it corrects the pace. */
  #sentCount = 0;
  #paceSinceMs: number;

  constructor(seed: number, startMs: number, load: Load) {
    const stream = `${seed}@${startMs}`;
    this.#random = new Random(stream);
    this.#idPrefix = `${EVENT_ID_PREFIX}${hash53(stream).toString(36)}-`;
    this.#load = load;
    this.#thinkMs = thinkMsFor(load);
    this.#paceSinceMs = startMs;
    this.#due.push(startMs, { place: -1, turn: 0, visit: null, lastActionMs: startMs });
    for (let place = 0; place < load.shoppers; place++) this.#meetShopper(place, startMs);
  }

  /** The next event sent before a time; null when there is none. */
  next(beforeMs: number): SentEvent | null {
    for (;;) {
      const dueMs = this.#due.nextMs();
      const arrivingMs = this.#onTheWay.nextMs();
      if (Math.min(dueMs, arrivingMs) >= beforeMs) return null;
      if (arrivingMs <= dueMs) {
        this.#sentCount++;
        return { sentMs: arrivingMs, event: this.#onTheWay.pop() };
      }
      const shopper = this.#due.first();
      const nowMs = Math.floor(dueMs);
      const event = this.#advance(shopper, dueMs);
      if (event === null || this.#isHeldUp(shopper, event)) continue;
      this.#sentCount++;
      return { sentMs: nowMs, event };
    }
  }

  /** From now on there are more shoppers or fewer, faster or slower ones. */
  setLoad(load: Load, nowMs: number): void {
    const thinkMs = thinkMsFor(load);
    const scale = thinkMs / this.#thinkMs;
    const before = this.#due;
    const shoppersBefore = this.#load.shoppers;
    this.#load = load;
    this.#thinkMs = thinkMs;
    this.#sentCount = 0;
    this.#paceSinceMs = nowMs;
    this.#due = new TimeQueue();
    for (const [dueMs, shopper] of before.entries()) {
      if (shopper.place >= load.shoppers) continue;
      const waits = shopper.visit === null || dueMs <= nowMs;
      this.#due.push(waits ? dueMs : nowMs + (dueMs - nowMs) * scale, shopper);
    }
    for (let place = shoppersBefore; place < load.shoppers; place++) {
      this.#meetShopper(place, nowMs);
    }
  }

  /** Puts in a shopper who is somewhere in a visit, so that the shop is as full as ever at once. */
  #meetShopper(place: number, nowMs: number): void {
    const random = this.#random;
    const turn = random.below(USERS_PER_PLACE);
    const firstMs = nowMs + restOfThinkingTimeMs(this.#thinkMs, random);
    const visit = restOfVisit(userAt(place, turn), firstMs, this.#thinkMs, random);
    this.#due.push(firstMs, { place, turn, visit, lastActionMs: firstMs });
  }

  /** Lets the shopper who is first in the queue act, and puts it back for its next action. */
  #advance(shopper: Shopper, dueMs: number): ShopEvent | null {
    const random = this.#random;
    const thinkMs = this.#thinkMs * this.#paceCorrection(dueMs);
    shopper.visit ??= this.#nextVisit(shopper, dueMs);
    let action = act(shopper.visit, dueMs, random);
    if (action === null) {
      if (shopper.place < 0) {
        shopper.visit = null;
        const backMs = shopper.lastActionMs + random.between(...REGULAR_LULL_MS);
        this.#due.postponeFirst(Math.max(dueMs, backMs));
        return null;
      }
      shopper.visit = this.#nextVisit(shopper, dueMs);
      action = act(shopper.visit, dueMs, random)!;
    }
    this.#due.postponeFirst(dueMs + thinkingTimeMs(shopper.visit, dueMs, thinkMs, random));
    shopper.lastActionMs = dueMs;
    const eventId = this.#idPrefix + this.#eventCount++;
    return { eventId, timestamp: Math.floor(dueMs), ...action };
  }

  #nextVisit(shopper: Shopper, nowMs: number): Visit {
    const random = this.#random;
    if (shopper.place < 0) return regularVisit(REGULAR_USER, nowMs, this.#thinkMs, random);
    shopper.turn = (shopper.turn + 1 + random.below(MAX_STRIDE)) % USERS_PER_PLACE;
    return startVisit(userAt(shopper.place, shopper.turn), nowMs, this.#thinkMs, random);
  }

  /** Whether the event is sent only later; a retry of it may follow either way. */
  #isHeldUp(shopper: Shopper, event: ShopEvent): boolean {
    // The regular has a good line, so that it is never without a live session.
    if (shopper.place < 0) return false;
    const random = this.#random;
    let sentMs = event.timestamp;
    const luck = random.unit();
    if (luck < LONG_OFFLINE_SHARE) sentMs += random.between(...LONG_OFFLINE_MS);
    else if (luck < LONG_OFFLINE_SHARE + OFFLINE_SHARE) sentMs += random.between(...OFFLINE_MS);
    else if (luck < LONG_OFFLINE_SHARE + OFFLINE_SHARE + SLOW_SHARE) {
      sentMs += random.unit() * MAX_SLOW_MS;
    }
    sentMs = Math.floor(sentMs);
    if (random.chance(RETRY_SHARE)) {
      this.#onTheWay.push(sentMs + random.below(MAX_RETRY_MS), event);
    }
    if (sentMs === event.timestamp) return false;
    this.#onTheWay.push(sentMs, event);
    return true;
  }

  #paceCorrection(nowMs: number): number {
    const perMs = this.#load.eventsPerSecond / 1000;
    const surplus = this.#sentCount - (nowMs - this.#paceSinceMs) * perMs;
    const withinMs = Math.max(MIN_PACE_CORRECTION_MS, PACE_CORRECTION_THINKS * this.#thinkMs);
    const correction = surplus / (perMs * withinMs);
    return Math.exp(Math.max(-MAX_PACE_CORRECTION, Math.min(MAX_PACE_CORRECTION, correction)));
  }
}

function userAt(place: number, turn: number): string {
  return `user-${2 + place * USERS_PER_PLACE + turn}`;
}

/**
 * The mean time between two actions for which the load comes out: nobody is ever between two
 * visits, but some are in a pause.
 */
function thinkMsFor(load: Load): number {
  const eachPerMs = load.eventsPerSecond / load.shoppers / 1000 / (1 + RETRY_SHARE);
  return (1 - VISITS.pausedShare) / eachPerMs;
}
