/** A session in the words that others see: the record of REST, topic, file and table. */
import type { SessionDefinition } from './definition.ts';
import { durationText } from './definition.ts';
import type { Attribution, Figures, MoneyFigure, TrailEntry } from './figures.ts';
import { sessionIdOf } from './hash.ts';
import { moneyNumber } from './money.ts';
import type { Channel, SessionRecord, TrailRecord } from './output.ts';
import type { Session } from './session.ts';
import type { SmallestNames } from './smallest-names.ts';

/** The partition that a session belongs to: the log and the number that make its id. */
export interface Identity {
  readonly logId: string;
  readonly partition: number;
}

/** Seconds from which a session without conversion or second page counts as engaged. */
const ENGAGED_MS = 10_000;

/** The session as it stands; `tier` is the index of the tier whose deadline it has passed. */
export function describe(
  identity: Identity,
  definition: SessionDefinition,
  userId: string,
  session: Session,
  state: 'active' | 'closed' | 'amended',
  tier: number | null,
): SessionRecord {
  const figures = session.figures();
  const durationMs = session.end - session.start;
  const { attribution } = figures;
  const converted = figures.purchases > 0;
  const { eventCounts, firstEventTimes } = typeMaps(session, figures);
  return {
    sessionId: sessionIdOf(identity.logId, identity.partition, session.offset),
    userId,
    state,
    revision: session.revision,
    tier: tier === null ? null : durationText(definition.tiersMs[tier]!),
    closeReason: state === 'active' ? null : (session.closedBy ?? 'inactivity'),
    startTime: isoTime(session.start),
    endTime: isoTime(session.end),
    durationSeconds: durationMs / 1000,
    eventCount: session.eventCount,
    eventCounts,
    firstEventTimes,
    entryPage: figures.entry?.page ?? null,
    exitPage: figures.exit?.page ?? null,
    pageViews: figures.pageViews,
    distinctPages: figures.pages.length,
    distinctPagesTruncated: figures.pagesTruncated,
    searches: figures.searches,
    addToCarts: figures.addToCarts,
    purchases: figures.purchases,
    revenue: money(figures.revenue, figures.revenueMicros),
    cartValue: money(figures.cartValue, figures.cartMicros),
    hasConversion: converted,
    firstConversionTime: optionalTime(figures.firstConversionTime),
    referrer: attribution?.referrer ?? null,
    utm: {
      source: attribution?.utmSource ?? null,
      medium: attribution?.utmMedium ?? null,
      campaign: attribution?.utmCampaign ?? null,
    },
    channel: channelOf(attribution),
    device: figures.device?.device ?? null,
    bounced: session.eventCount === 1 && figures.pageViews === 1,
    engaged: durationMs >= ENGAGED_MS || converted || figures.pageViews >= 2,
    firstArrival: optionalTime(session.firstArrival),
    lastArrival: optionalTime(session.lastArrival),
    lateCount: session.lateCount,
    duplicateCount: session.duplicateCount,
    endOvertakenCount: session.endOvertakenCount,
    previousSessionId:
      session.previousOffset < 0
        ? null
        : sessionIdOf(identity.logId, identity.partition, session.previousOffset),
    trail: figures.trail.map(trailRecord),
    trailTruncated: figures.trailTruncated,
  };
}

function trailRecord({ eventType, page, timestamp }: TrailEntry): TrailRecord {
  return { type: eventType, page, time: isoTime(timestamp) };
}

function typeMaps(
  session: Session,
  { types }: Figures,
): Pick<SessionRecord, 'eventCounts' | 'firstEventTimes'> {
  const eventCounts: Record<string, number> = {};
  const firstEventTimes: Record<string, string> = {};
  let rest = session.eventCount;
  for (let at = 0; at < types.names.length; at++) {
    const { count, firstTime } = types.values[at]!;
    put(eventCounts, types.names[at]!, count);
    put(firstEventTimes, types.names[at]!, isoTime(firstTime));
    rest -= count;
  }
  if (rest > 0) eventCounts['OTHER'] = (eventCounts['OTHER'] ?? 0) + rest;
  return { eventCounts, firstEventTimes };
}

/** Names come from clients, and one of them would set the object's prototype. */
function put<Value>(map: Record<string, Value>, name: string, value: Value): void {
  if (name !== '__proto__') map[name] = value;
  else Object.defineProperty(map, name, { value, enumerable: true, configurable: true });
}

function money(sums: SmallestNames<MoneyFigure>, total: bigint): Record<string, number> {
  const amounts: Record<string, number> = {};
  let rest = total;
  for (let at = 0; at < sums.names.length; at++) {
    const { micros } = sums.values[at]!;
    amounts[sums.names[at]!] = moneyNumber(micros);
    rest -= micros;
  }
  if (rest !== 0n) amounts['OTHER'] = moneyNumber(rest);
  return amounts;
}

const SEARCH_HOSTS = /(^|\.)(google|bing|duckduckgo|yahoo|baidu|yandex|ecosia|qwant|startpage)\./;
const SOCIAL_HOSTS =
  /(^|\.)(facebook|instagram|twitter|x|t|linkedin|lnkd|pinterest|reddit|tiktok|youtube|bsky)\./;
const PAID_MEDIA = /^(cpc|ppc|paid.*|cpm|cpv|display|banner|retargeting)$/;

/**
 * The channel a visit came by, from its first event; a tagged campaign counts before a referrer.
 */
export function channelOf(attribution: Attribution | null): Channel {
  const medium = attribution?.utmMedium?.toLowerCase() ?? null;
  const host = hostOf(attribution?.referrer ?? null);
  if (medium !== null && PAID_MEDIA.test(medium)) return 'paid';
  if (medium === 'email' || medium === 'newsletter') return 'email';
  if (medium === 'organic') return 'search';
  if (medium?.startsWith('social')) return 'social';
  if (medium !== null || attribution?.utmSource) return 'campaign';
  if (host === null) return 'direct';
  if (SEARCH_HOSTS.test(host)) return 'search';
  return SOCIAL_HOSTS.test(host) ? 'social' : 'referral';
}

function hostOf(referrer: string | null): string | null {
  if (referrer === null) return null;
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]+)/i.exec(referrer);
  return match === null ? null : match[1]!.toLowerCase();
}

function optionalTime(time: number): string | null {
  return Number.isFinite(time) ? isoTime(time) : null;
}

const MINUTE_MS = 60_000;
let knownMinute = Number.NaN;
let knownText = '';

/** ISO 8601 UTC with milliseconds. The minute is remembered: many times lie in the one before's. */
export function isoTime(time: number): string {
  const minute = Math.floor(time / MINUTE_MS);
  if (minute !== knownMinute) {
    knownText = minuteText(minute);
    knownMinute = minute;
  }
  const rest = time - minute * MINUTE_MS;
  const second = Math.floor(rest / 1000);
  return knownText + (TWO_DIGITS[second]! + MILLISECONDS[rest - second * 1000]!);
}

const DAY_MINUTES = 1440;
let knownDay = Number.NaN;
let knownDate = '';

function minuteText(minute: number): string {
  const day = Math.floor(minute / DAY_MINUTES);
  if (day !== knownDay) {
    knownDate = new Date(day * DAY_MINUTES * MINUTE_MS).toISOString().slice(0, -13);
    knownDay = day;
  }
  const rest = minute - day * DAY_MINUTES;
  const hour = Math.floor(rest / 60);
  return `${knownDate}${TWO_DIGITS[hour]}:${TWO_DIGITS[rest - hour * 60]}:`;
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
const MILLISECONDS = Array.from(
  { length: 1000 },
  (_, value) => `.${String(value).padStart(3, '0')}Z`,
);
