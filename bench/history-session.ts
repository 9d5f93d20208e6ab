/** Sessions to fill history with: the same number, the same session. */
import { sessionIdOf } from '../src/core/hash.ts';
import type { SessionRecord } from '../src/core/output.ts';

export const USERS = 50_000;
const EVENTS = 12;
const TYPES = ['PAGE_VIEW', 'CLICK', 'ADD_TO_CART', 'SEARCH'];

const iso = (timeMs: number) => new Date(timeMs).toISOString();

/** A shopper's session of a dozen events, for history. */
export function makeHistorySession(number: number, endMs: number, revision = 1): SessionRecord {
  const durationMs = 20_000 + ((number * 7919) % 320_000);
  const startMs = endMs - durationMs;
  const hasConversion = number % 16 === 0;
  const product = `/products/${(number * 31) % 900}`;
  return {
    sessionId: sessionIdOf('bench', number % 8, number),
    userId: `user-${(number * 2_654_435_761) % USERS}`,
    state: revision === 1 ? 'closed' : 'amended',
    revision,
    tier: '5m',
    closeReason: 'inactivity',
    startTime: iso(startMs),
    endTime: iso(endMs),
    durationSeconds: durationMs / 1000,
    eventCount: EVENTS,
    eventCounts: { PAGE_VIEW: 8, CLICK: 2, ADD_TO_CART: 1, SEARCH: 1 },
    firstEventTimes: Object.fromEntries(TYPES.map((type, n) => [type, iso(startMs + n * 1000)])),
    entryPage: '/',
    exitPage: product,
    pageViews: 8,
    distinctPages: 6,
    distinctPagesTruncated: false,
    searches: 1,
    addToCarts: 1,
    purchases: hasConversion ? 1 : 0,
    revenue: hasConversion ? { EUR: (number % 20_000) / 100 } : {},
    cartValue: { EUR: 59.9 },
    hasConversion,
    firstConversionTime: hasConversion ? iso(endMs) : null,
    referrer: number % 3 === 0 ? 'https://www.example.com/search?q=boots' : null,
    utm: { source: null, medium: null, campaign: null },
    channel: number % 3 === 0 ? 'search' : 'direct',
    device: number % 2 === 0 ? 'mobile' : 'desktop',
    bounced: false,
    engaged: true,
    firstArrival: iso(startMs + 200),
    lastArrival: iso(endMs + 200),
    lateCount: 0,
    duplicateCount: 0,
    endOvertakenCount: 0,
    previousSessionId: null,
    trail: Array.from({ length: EVENTS }, (_, n) => ({
      type: TYPES[n % TYPES.length]!,
      page: n % 3 === 0 ? product : `/category/${n}`,
      time: iso(startMs + Math.floor((durationMs * n) / EVENTS)),
    })),
    trailTruncated: false,
  };
}
