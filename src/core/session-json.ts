/** A session as JSON in bytes: the same as `JSON.stringify` gives, several times faster. */
import { durationText } from './definition.ts';
import { channelOf, describe, type Identity } from './describe.ts';
import type { Figures, MoneyFigure } from './figures.ts';
import { sessionIdOf } from './hash.ts';
import { type JsonBytes, jsonBytes } from './json-bytes.ts';
import { moneyNumber } from './money.ts';
import type { Described, SessionRecord } from './output.ts';
import type { Session } from './session.ts';
import { MAX_NAMES, type SmallestNames } from './smallest-names.ts';

/** The names of a session's fields, in their order. */
export const SESSION_FIELDS = [
  'sessionId',
  'userId',
  'state',
  'revision',
  'tier',
  'closeReason',
  'startTime',
  'endTime',
  'durationSeconds',
  'eventCount',
  'eventCounts',
  'firstEventTimes',
  'entryPage',
  'exitPage',
  'pageViews',
  'distinctPages',
  'distinctPagesTruncated',
  'searches',
  'addToCarts',
  'purchases',
  'revenue',
  'cartValue',
  'hasConversion',
  'firstConversionTime',
  'referrer',
  'utm',
  'channel',
  'device',
  'bounced',
  'engaged',
  'firstArrival',
  'lastArrival',
  'lateCount',
  'duplicateCount',
  'endOvertakenCount',
  'previousSessionId',
  'trail',
  'trailTruncated',
] as const satisfies readonly (keyof SessionRecord)[];

export function writeSession(json: JsonBytes, described: Described): void {
  const session = described[3];
  const figures = session.figures();
  if (isOrdinary(figures)) writeOrdinary(json, described, session, figures);
  else json.append(JSON.stringify(describe(...described)));
}

/**
 * Whether its maps can be written as they are: none that leaves a rest to `OTHER`, and no name
 * that objects put first because it is a number.
 */
function isOrdinary(figures: Figures): boolean {
  const { names } = figures.types;
  if (names.length >= MAX_NAMES || figures.revenue.names.length >= MAX_NAMES) return false;
  if (figures.cartValue.names.length >= MAX_NAMES) return false;
  for (const name of names) if (name.charCodeAt(0) <= NINE) return false;
  return true;
}

/** `,"name":` of each field. */
const KEY = Object.fromEntries(
  SESSION_FIELDS.map((column) => [column, jsonBytes(`,"${column}":`)]),
) as Readonly<Record<(typeof SESSION_FIELDS)[number], Uint8Array>>;

const NINE = 0x39;
/** As in core/describe.ts. */
const ENGAGED_MS = 10_000;

function writeOrdinary(
  json: JsonBytes,
  [identity, definition, userId, , state, tier]: Described,
  session: Session,
  figures: Figures,
): void {
  const durationMs = session.end - session.start;
  json.raw(SESSION_ID);
  json.text(sessionIdOf(identity.logId, identity.partition, session.offset));
  json.raw(KEY.userId);
  json.text(userId);
  json.raw(KEY.state);
  json.text(state);
  json.raw(KEY.revision);
  json.number(session.revision);
  json.raw(KEY.tier);
  json.text(tier === null ? null : durationText(definition.tiersMs[tier]!));
  json.raw(KEY.closeReason);
  json.text(state === 'active' ? null : (session.closedBy ?? 'inactivity'));
  json.raw(KEY.startTime);
  json.time(session.start);
  json.raw(KEY.endTime);
  json.time(session.end);
  json.raw(KEY.durationSeconds);
  json.number(durationMs / 1000);
  json.raw(KEY.eventCount);
  json.number(session.eventCount);
  writeTypes(json, figures);
  writePages(json, figures);
  writeValue(json, figures);
  writeOrigin(json, figures);
  json.raw(KEY.bounced);
  json.boolean(session.eventCount === 1 && figures.pageViews === 1);
  json.raw(KEY.engaged);
  json.boolean(durationMs >= ENGAGED_MS || figures.purchases > 0 || figures.pageViews >= 2);
  writeCourse(json, identity, session);
  writeTrail(json, figures);
}

function writeTypes(json: JsonBytes, { types }: Figures): void {
  const { names, values } = types;
  json.raw(KEY.eventCounts);
  let start = OPEN;
  for (let index = 0; index < names.length; index++) {
    json.raw(start);
    json.text(names[index]!);
    json.raw(COLON);
    json.number(values[index]!.count);
    start = COMMA;
  }
  json.raw(CLOSE);
  json.raw(KEY.firstEventTimes);
  start = OPEN;
  for (let index = 0; index < names.length; index++) {
    json.raw(start);
    json.text(names[index]!);
    json.raw(COLON);
    json.time(values[index]!.firstTime);
    start = COMMA;
  }
  json.raw(CLOSE);
}

function writePages(json: JsonBytes, figures: Figures): void {
  json.raw(KEY.entryPage);
  json.text(figures.entry === null ? null : figures.entry.page);
  json.raw(KEY.exitPage);
  json.text(figures.exit === null ? null : figures.exit.page);
  json.raw(KEY.pageViews);
  json.number(figures.pageViews);
  json.raw(KEY.distinctPages);
  json.number(figures.pages.length);
  json.raw(KEY.distinctPagesTruncated);
  json.boolean(figures.pagesTruncated);
}

/** What the visit was worth. */
function writeValue(json: JsonBytes, figures: Figures): void {
  json.raw(KEY.searches);
  json.number(figures.searches);
  json.raw(KEY.addToCarts);
  json.number(figures.addToCarts);
  json.raw(KEY.purchases);
  json.number(figures.purchases);
  json.raw(KEY.revenue);
  writeMoney(json, figures.revenue);
  json.raw(KEY.cartValue);
  writeMoney(json, figures.cartValue);
  json.raw(KEY.hasConversion);
  json.boolean(figures.purchases > 0);
  json.raw(KEY.firstConversionTime);
  json.time(figures.firstConversionTime);
}

function writeMoney(json: JsonBytes, sums: SmallestNames<MoneyFigure>): void {
  let start = OPEN;
  for (let index = 0; index < sums.names.length; index++) {
    json.raw(start);
    json.text(sums.names[index]!);
    json.raw(COLON);
    json.number(moneyNumber(sums.values[index]!.micros));
    start = COMMA;
  }
  if (start === OPEN) json.raw(OPEN);
  json.raw(CLOSE);
}

/** Where the visit came from. */
function writeOrigin(json: JsonBytes, { attribution, device }: Figures): void {
  json.raw(KEY.referrer);
  json.text(attribution === null ? null : attribution.referrer);
  json.raw(UTM_SOURCE);
  json.text(attribution === null ? null : attribution.utmSource);
  json.raw(UTM_MEDIUM);
  json.text(attribution === null ? null : attribution.utmMedium);
  json.raw(UTM_CAMPAIGN);
  json.text(attribution === null ? null : attribution.utmCampaign);
  json.raw(CLOSE);
  json.raw(KEY.channel);
  json.text(channelOf(attribution));
  json.raw(KEY.device);
  json.text(device === null ? null : device.device);
}

/** How its events came, and the session before it. */
function writeCourse(json: JsonBytes, identity: Identity, session: Session): void {
  json.raw(KEY.firstArrival);
  json.time(session.firstArrival);
  json.raw(KEY.lastArrival);
  json.time(session.lastArrival);
  json.raw(KEY.lateCount);
  json.number(session.lateCount);
  json.raw(KEY.duplicateCount);
  json.number(session.duplicateCount);
  json.raw(KEY.endOvertakenCount);
  json.number(session.endOvertakenCount);
  json.raw(KEY.previousSessionId);
  if (session.previousOffset < 0) json.text(null);
  else json.text(sessionIdOf(identity.logId, identity.partition, session.previousOffset));
}

/** The trail, which is never empty, and the end of the object. */
function writeTrail(json: JsonBytes, { trail, trailTruncated }: Figures): void {
  let start = FIRST_TYPE;
  for (const { eventType, page, timestamp } of trail) {
    json.raw(start);
    json.text(eventType);
    json.raw(PAGE);
    json.text(page);
    json.raw(TIME);
    json.time(timestamp);
    start = NEXT_TYPE;
  }
  json.raw(TRAIL_END);
  json.raw(KEY.trailTruncated);
  json.boolean(trailTruncated);
  json.raw(CLOSE);
}

const SESSION_ID = jsonBytes('{"sessionId":');
const UTM_SOURCE = jsonBytes(',"utm":{"source":');
const UTM_MEDIUM = jsonBytes(',"medium":');
const UTM_CAMPAIGN = jsonBytes(',"campaign":');
const FIRST_TYPE = jsonBytes(',"trail":[{"type":');
const NEXT_TYPE = jsonBytes('},{"type":');
const PAGE = jsonBytes(',"page":');
const TIME = jsonBytes(',"time":');
const TRAIL_END = jsonBytes('}]');
const OPEN = jsonBytes('{');
const COLON = jsonBytes(':');
const COMMA = jsonBytes(',');
const CLOSE = jsonBytes('}');
