/** A session in the words that others see: the record of REST, topic, file and table. */
import type { SessionDefinition } from './definition.ts';
import { durationText } from './definition.ts';
import type { Attribution, Figures, MoneyFigure } from './figures.ts';
import { sessionIdOf } from './hash.ts';
import { moneyNumber } from './money.ts';
import type { Channel, SessionRecord } from './output.ts';
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
    ...typeMaps(session, figures),
    entryPage: figures.entry?.text ?? null,
    exitPage: figures.exit?.text ?? null,
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
    device: figures.device?.text ?? null,
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
    trail: figures.trail.map(({ type, page, time }) => ({ type, page, time: isoTime(time) })),
    trailTruncated: figures.trailTruncated,
  };
}

function typeMaps(
  session: Session,
  figures: Figures,
): Pick<SessionRecord, 'eventCounts' | 'firstEventTimes'> {
  const eventCounts: Record<string, number> = Object.create(null);
  const firstEventTimes: Record<string, string> = Object.create(null);
  let rest = session.eventCount;
  for (const [name, { count, firstTime }] of figures.types.sorted()) {
    eventCounts[name] = count;
    firstEventTimes[name] = isoTime(firstTime);
    rest -= count;
  }
  if (rest > 0) eventCounts['OTHER'] = (eventCounts['OTHER'] ?? 0) + rest;
  return { eventCounts: { ...eventCounts }, firstEventTimes: { ...firstEventTimes } };
}

function money(sums: SmallestNames<MoneyFigure>, total: bigint): Record<string, number> {
  const amounts: Record<string, number> = {};
  let rest = total;
  for (const [currency, { micros }] of sums.sorted()) {
    amounts[currency] = moneyNumber(micros);
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
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]+)/i.exec(referrer ?? '');
  return match === null ? null : match[1]!.toLowerCase();
}

function optionalTime(time: number): string | null {
  return Number.isFinite(time) ? isoTime(time) : null;
}

const DAY_MS = 86_400_000;
let knownDay = Number.NaN;
let knownDate = '';

/** ISO 8601 UTC with milliseconds. The date is remembered: most times lie in the day before's. */
export function isoTime(time: number): string {
  const day = Math.floor(time / DAY_MS);
  if (day !== knownDay) {
    knownDate = new Date(day * DAY_MS).toISOString().slice(0, -13);
    knownDay = day;
  }
  const rest = time - day * DAY_MS;
  const second = Math.floor(rest / 1000);
  const minute = Math.floor(second / 60);
  const hour = Math.floor(minute / 60);
  const clock = `${TWO_DIGITS[hour]}:${TWO_DIGITS[minute % 60]}:${TWO_DIGITS[second % 60]}`;
  return `${knownDate}${clock}.${String(rest % 1000).padStart(3, '0')}Z`;
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
