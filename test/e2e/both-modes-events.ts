/**
 * Shoppers' events of some hours, in the order of sending, for a system to sort out: besides what
 * the shoppers' own network does, events that come hours late, between two visits, or again.
 */
import { loadOf } from '../../src/services/event-producer/load.ts';
import { TimeQueue } from '../../src/services/event-producer/queue.ts';
import { eventJson, type ShopEvent } from '../../src/services/event-producer/shop-event.ts';
import { Shoppers } from '../../src/services/event-producer/shoppers.ts';
import { seededRandom } from '../support/seeded-random.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Of event time, whatever the number of events. */
const SPAN_MS = 12 * HOUR_MS;
/** Held back, up to beyond the last tier. */
const HELD_SHARE = 0.005;
const HELD_MS = [2 * MINUTE_MS, 6 * HOUR_MS] as const;
/** Another event of the user, from between this visit and the next, that is sent later. */
const ECHO_SHARE = 0.03;
const ECHO_AFTER_MS = [10 * MINUTE_MS, 60 * MINUTE_MS] as const;
const ECHO_SENT_MS = [60 * MINUTE_MS, 3 * HOUR_MS] as const;
/** Sent again, when its session has closed, or is settled. */
const AGAIN_SHARE = 0.005;
const AGAIN_MS = [1000, 5 * HOUR_MS] as const;
const END_SHARE = 0.01;

export interface EventsOptions {
  readonly events: number;
  readonly seed: number;
  /** Time of the first event, epoch milliseconds. */
  readonly startMs: number;
}

export interface Line {
  readonly json: string;
  readonly timestamp: number;
}

/** The same ones for the same options, and as many, give or take one or two. */
export function* makeEvents({ events, seed, startMs }: EventsOptions): Generator<Line> {
  const random = seededRandom(seed);
  const between = ([low, high]: readonly [number, number]) =>
    Math.floor(low + random() * (high - low));
  const load = loadOf({ rate: (events * 1000) / SPAN_MS });
  const shoppers = new Shoppers(seed, startMs, load);
  const underWay = new TimeQueue<ShopEvent>();
  for (let left = events; left > underWay.size; ) {
    const { event, sentMs } = shoppers.next(Number.POSITIVE_INFINITY)!;
    for (; underWay.nextMs() <= sentMs; left--) yield lineOf(underWay.pop());
    const ends = random() < END_SHARE;
    const sent = ends ? { ...event, eventType: 'SESSION_END' } : event;
    if (random() < ECHO_SHARE) {
      const timestamp = event.timestamp + between(ECHO_AFTER_MS);
      const echo = { ...event, eventId: `${event.eventId}-echo`, eventType: 'CLICK', timestamp };
      underWay.push(timestamp + between(ECHO_SENT_MS), echo);
    }
    if (random() < AGAIN_SHARE) underWay.push(sentMs + between(AGAIN_MS), sent);
    underWay.push(sentMs + (random() < HELD_SHARE ? between(HELD_MS) : 0), sent);
  }
  while (underWay.size > 0) yield lineOf(underWay.pop());
}

function lineOf(event: ShopEvent): Line {
  return { json: eventJson(event), timestamp: event.timestamp };
}
