/**
 * A session as a line of NDJSON: what `JSON.stringify(describe(…))` gives, several times faster.
 */
import { durationText } from '../core/definition.ts';
import { channelOf, describe, type Identity } from '../core/describe.ts';
import type { Figures, MoneyFigure } from '../core/figures.ts';
import { sessionIdOf } from '../core/hash.ts';
import { moneyNumber } from '../core/money.ts';
import type { Session } from '../core/session.ts';
import { MAX_NAMES, type SmallestNames } from '../core/smallest-names.ts';
import type { JsonBytes } from './json-bytes.ts';

/** What `describe` takes. */
export type Described = Parameters<typeof describe>;

/** Writes the session and a line feed. */
export function writeSession(json: JsonBytes, described: Described): void {
  const session = described[3];
  const figures = session.figures();
  if (isOrdinary(figures)) writeOrdinary(json, described, session, figures);
  else json.append(JSON.stringify(describe(...described)));
  json.raw('\n');
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
  json.raw('{"sessionId":"');
  json.raw(sessionIdOf(identity.logId, identity.partition, session.offset));
  json.raw('","userId":');
  json.text(userId);
  json.raw(`,"state":"${state}","revision":`);
  json.number(session.revision);
  json.raw(',"tier":');
  json.text(tier === null ? null : durationText(definition.tiersMs[tier]!));
  json.raw(',"closeReason":');
  json.text(state === 'active' ? null : (session.closedBy ?? 'inactivity'));
  json.raw(',"startTime":');
  json.time(session.start);
  json.raw(',"endTime":');
  json.time(session.end);
  json.raw(',"durationSeconds":');
  json.number(durationMs / 1000);
  json.raw(',"eventCount":');
  json.number(session.eventCount);
  writeTypes(json, figures);
  json.raw(',"entryPage":');
  json.text(figures.entry === null ? null : figures.entry.page);
  json.raw(',"exitPage":');
  json.text(figures.exit === null ? null : figures.exit.page);
  json.raw(',"pageViews":');
  json.number(figures.pageViews);
  json.raw(',"distinctPages":');
  json.number(figures.pages.length);
  json.raw(',"distinctPagesTruncated":');
  json.boolean(figures.pagesTruncated);
  json.raw(',"searches":');
  json.number(figures.searches);
  json.raw(',"addToCarts":');
  json.number(figures.addToCarts);
  json.raw(',"purchases":');
  json.number(figures.purchases);
  writeMoney(json, ',"revenue":', figures.revenue);
  writeMoney(json, ',"cartValue":', figures.cartValue);
  writeOrigin(json, figures);
  json.raw(',"bounced":');
  json.boolean(session.eventCount === 1 && figures.pageViews === 1);
  json.raw(',"engaged":');
  json.boolean(durationMs >= ENGAGED_MS || figures.purchases > 0 || figures.pageViews >= 2);
  writeCourse(json, identity, session);
  writeTrail(json, figures);
  json.raw('}');
}

function writeTypes(json: JsonBytes, { types }: Figures): void {
  const { names, values } = types;
  let start = ',"eventCounts":{';
  for (let index = 0; index < names.length; index++) {
    json.raw(start);
    json.text(names[index]!);
    json.raw(':');
    json.number(values[index]!.count);
    start = ',';
  }
  start = '},"firstEventTimes":{';
  for (let index = 0; index < names.length; index++) {
    json.raw(start);
    json.text(names[index]!);
    json.raw(':');
    json.time(values[index]!.firstTime);
    start = ',';
  }
  json.raw('}');
}

function writeMoney(json: JsonBytes, name: string, sums: SmallestNames<MoneyFigure>): void {
  let start = '{';
  json.raw(name);
  for (let index = 0; index < sums.names.length; index++) {
    json.raw(start);
    json.text(sums.names[index]!);
    json.raw(':');
    json.number(moneyNumber(sums.values[index]!.micros));
    start = ',';
  }
  json.raw(start === ',' ? '}' : '{}');
}

/** Conversion, and where the visit came from. */
function writeOrigin(json: JsonBytes, figures: Figures): void {
  const { attribution } = figures;
  json.raw(',"hasConversion":');
  json.boolean(figures.purchases > 0);
  json.raw(',"firstConversionTime":');
  json.time(figures.firstConversionTime);
  json.raw(',"referrer":');
  json.text(attribution === null ? null : attribution.referrer);
  json.raw(',"utm":{"source":');
  json.text(attribution === null ? null : attribution.utmSource);
  json.raw(',"medium":');
  json.text(attribution === null ? null : attribution.utmMedium);
  json.raw(',"campaign":');
  json.text(attribution === null ? null : attribution.utmCampaign);
  json.raw(`},"channel":"${channelOf(attribution)}","device":`);
  json.text(figures.device === null ? null : figures.device.device);
}

/** How its events came, and the session before it. */
function writeCourse(json: JsonBytes, identity: Identity, session: Session): void {
  json.raw(',"firstArrival":');
  json.time(session.firstArrival);
  json.raw(',"lastArrival":');
  json.time(session.lastArrival);
  json.raw(',"lateCount":');
  json.number(session.lateCount);
  json.raw(',"duplicateCount":');
  json.number(session.duplicateCount);
  json.raw(',"endOvertakenCount":');
  json.number(session.endOvertakenCount);
  json.raw(',"previousSessionId":');
  if (session.previousOffset < 0) json.raw('null');
  else json.text(sessionIdOf(identity.logId, identity.partition, session.previousOffset));
}

function writeTrail(json: JsonBytes, { trail, trailTruncated }: Figures): void {
  let start = ',"trail":[{"type":';
  for (const { eventType, page, timestamp } of trail) {
    json.raw(start);
    json.text(eventType);
    json.raw(',"page":');
    json.text(page);
    json.raw(',"time":');
    json.time(timestamp);
    json.raw('}');
    start = ',{"type":';
  }
  json.raw('],"trailTruncated":');
  json.boolean(trailTruncated);
}
