/** A session's figures the naive way: from the whole list of its events, sorted, every time. */
import type { Event } from '../../src/core/event.ts';
import type { SessionRecord, TrailRecord } from '../../src/core/output.ts';

/** An event with where it lies in the log and when the log took it (null: a file's). */
export interface Placed {
  readonly event: Event;
  readonly offset: number;
  readonly arrivalMs: number | null;
}

/** The figures that do not depend on the order in which the events arrived. */
export type Figures = Omit<SessionRecord, Exempt>;

type Exempt =
  | 'sessionId'
  | 'userId'
  | 'state'
  | 'revision'
  | 'tier'
  | 'closeReason'
  | 'channel'
  | 'firstArrival'
  | 'lastArrival'
  | 'lateCount'
  | 'duplicateCount'
  | 'endOvertakenCount'
  | 'previousSessionId';

const KEPT_NAMES = 64;
const TRAIL_SIDE = 10;

/** Earliest first: by time, then by the hash of the event's id. */
export function inOrder(events: readonly Placed[]): Placed[] {
  return [...events].sort(
    (a, b) =>
      a.event.timestamp - b.event.timestamp ||
      a.event.idHash - b.event.idHash ||
      a.offset - b.offset,
  );
}

export function figuresOf(placed: readonly Placed[]): Figures {
  const events = inOrder(placed).map((each) => each.event);
  const first = events[0]!;
  const durationMs = events.at(-1)!.timestamp - first.timestamp;
  const withPage = events.filter((event) => event.page !== null);
  const ofType = (type: string) => events.filter((event) => event.eventType === type);
  const purchases = ofType('PURCHASE');
  const pages = new Set(withPage.map((event) => event.page));
  const pageViews = ofType('PAGE_VIEW').length;
  return {
    startTime: iso(first.timestamp),
    endTime: iso(first.timestamp + durationMs),
    durationSeconds: durationMs / 1000,
    eventCount: events.length,
    eventCounts: countsByType(events),
    firstEventTimes: firstTimes(events),
    entryPage: withPage[0]?.page ?? null,
    exitPage: withPage.at(-1)?.page ?? null,
    pageViews,
    distinctPages: Math.min(pages.size, KEPT_NAMES),
    distinctPagesTruncated: pages.size > KEPT_NAMES,
    searches: ofType('SEARCH').length,
    addToCarts: ofType('ADD_TO_CART').length,
    purchases: purchases.length,
    revenue: totals(purchases),
    cartValue: totals(ofType('ADD_TO_CART')),
    hasConversion: purchases.length > 0,
    firstConversionTime: purchases.length > 0 ? iso(purchases[0]!.timestamp) : null,
    referrer: first.referrer,
    utm: { source: first.utmSource, medium: first.utmMedium, campaign: first.utmCampaign },
    device: events.find((event) => event.device !== null)?.device ?? null,
    bounced: events.length === 1 && pageViews === 1,
    engaged: durationMs >= 10_000 || purchases.length > 0 || pageViews >= 2,
    ...trailOf(events),
  };
}

function trailOf(events: readonly Event[]): { trail: TrailRecord[]; trailTruncated: boolean } {
  const trailTruncated = events.length > 2 * TRAIL_SIDE;
  const kept = trailTruncated
    ? [...events.slice(0, TRAIL_SIDE), ...events.slice(-TRAIL_SIDE)]
    : events;
  const trail = kept.map((event) => ({
    type: event.eventType,
    page: event.page,
    time: iso(event.timestamp),
  }));
  return { trail, trailTruncated };
}

/** The 64 smallest names as they are, all others under `OTHER`. */
function countsByType(events: readonly Event[]): Record<string, number> {
  const names = [...new Set(events.map((event) => event.eventType))].sort();
  const kept = new Set(names.slice(0, KEPT_NAMES));
  const counts = new Map<string, number>();
  for (const event of events) {
    const name = kept.has(event.eventType) ? event.eventType : 'OTHER';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

function firstTimes(events: readonly Event[]): Record<string, string> {
  const names = [...new Set(events.map((event) => event.eventType))].sort();
  return Object.fromEntries(
    names.slice(0, KEPT_NAMES).map((name) => {
      const first = events.find((event) => event.eventType === name)!;
      return [name, iso(first.timestamp)] as const;
    }),
  );
}

/** Sums by currency, in whole millionths until the very end; beyond 64 of them in `OTHER`. */
function totals(events: readonly Event[]): Record<string, number> {
  const paid = events.filter((event) => event.amountMicros !== null);
  const names = [...new Set(paid.map((event) => event.currency!))].sort();
  const kept = new Set(names.slice(0, KEPT_NAMES));
  const micros = new Map<string, bigint>();
  for (const event of paid) {
    const name = kept.has(event.currency!) ? event.currency! : 'OTHER';
    micros.set(name, (micros.get(name) ?? 0n) + event.amountMicros!);
  }
  if (micros.get('OTHER') === 0n) micros.delete('OTHER');
  return Object.fromEntries([...micros].map(([name, sum]) => [name, Number(sum) / 1e6]));
}

export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
