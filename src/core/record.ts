/** Users and sessions as bytes in the state store: versioned, so that old records stay readable. */
import type { Arena } from './arena.ts';
import { RecordReader, type RecordWriter } from './encoding.ts';
import type { EventFacts } from './event.ts';
import { EventIds } from './event-ids.ts';
import {
  type Attribution,
  Figures,
  type MoneyFigure,
  type PageSeen,
  type Seen,
} from './figures.ts';
import type { CloseReason } from './output.ts';
import { MAX_PACKED_BYTES, packEvent } from './packed-event.ts';
import { Session } from './session.ts';
import type { SmallestNames } from './smallest-names.ts';
import { User } from './user.ts';

/** Written first in every record; a reader knows all versions up to it. */
const VERSION = 2;
/** The one before wrote the events that wait field by field. */
const EVENTS_AS_FIELDS = 1;

/** Positions mean the reason in the record: append only. */
const CLOSE_REASONS: readonly (CloseReason | null)[] = [
  null,
  'max_duration',
  'max_events',
  'explicit',
  'erased',
];

const NONE: readonly number[] = [];

const ENDED = 1;
const CUT_BEFORE = 2;
const CUT_AFTER = 4;
const CHANGED = 8;
const INLINE = 16;
const OPENED_LATE = 32;

/** The headers of all of a user's sessions; those that are live are in it whole. */
export function encodeUser(writer: RecordWriter, user: User): Uint8Array {
  writer.byte(VERSION);
  writer.varint(user.storedMinute === null ? 0 : user.storedMinute + 1);
  let count = 0;
  for (let session = user.first; session !== null; session = session.next) count++;
  writer.varint(count);
  for (let session = user.first; session !== null; session = session.next) {
    const inline = isInline(session);
    writer.byte(
      (session.ended ? ENDED : 0) |
        (session.cutBefore ? CUT_BEFORE : 0) |
        (session.cutAfter ? CUT_AFTER : 0) |
        (session.changed ? CHANGED : 0) |
        (inline ? INLINE : 0) |
        (session.openedLate ? OPENED_LATE : 0),
    );
    writer.byte(session.sent | (CLOSE_REASONS.indexOf(session.closedBy) << 2));
    writer.varint(session.offset);
    writer.signed(session.start);
    writer.varint(session.end - session.start);
    writer.varint(session.eventCount);
    writer.varint(session.revision);
    writer.varint(session.tiersPassed);
    writer.varint(session.previousOffset + 1);
    const chunks = session.ids === null ? NONE : session.ids.chunks;
    writer.varint(chunks.length);
    for (const name of chunks) writer.varint(name);
    if (inline) writeBody(writer, session);
  }
  return writer.finish();
}

/** The minute of a user's entry in the deadline index, as its record has it; null for none. */
export function storedMinuteOf(record: Uint8Array): number | null {
  // By hand: a restore asks it of every user.
  if (record[0] !== VERSION) readVersion(new RecordReader(record));
  let minute = 0;
  let weight = 1;
  for (let at = 1; ; at++) {
    const byte = record[at]!;
    minute += (byte & 0x7f) * weight;
    if (byte < 0x80) return minute === 0 ? null : minute - 1;
    weight *= 128;
  }
}

export function decodeUser(userId: string, bytes: Uint8Array): User {
  const user = new User(userId, true);
  readUser(user, bytes, null);
  return user;
}

/** Gives a user of whom nothing is known yet what its record has. */
export function readUser(user: User, bytes: Uint8Array, arena: Arena | null): void {
  const reader = new RecordReader(bytes);
  const version = readVersion(reader);
  const minute = reader.varint();
  user.storedMinute = minute === 0 ? null : minute - 1;
  user.stored = true;
  for (let left = reader.varint(); left > 0; left--) {
    const flags = reader.byte();
    const sent = reader.byte();
    const offset = reader.varint();
    const session = new Session(offset, reader.signed(), arena);
    session.end += reader.varint();
    session.eventCount = reader.varint();
    session.revision = reader.varint();
    session.tiersPassed = reader.varint();
    session.previousOffset = reader.varint() - 1;
    session.ended = (flags & ENDED) !== 0;
    session.cutBefore = (flags & CUT_BEFORE) !== 0;
    session.cutAfter = (flags & CUT_AFTER) !== 0;
    session.changed = (flags & CHANGED) !== 0;
    session.openedLate = (flags & OPENED_LATE) !== 0;
    session.sent = sent & 3;
    session.closedBy = CLOSE_REASONS[sent >> 2] ?? null;
    session.dirty = false;
    const chunks = reader.varint();
    if (chunks > 0) {
      session.ids = new EventIds();
      session.ids.chunks = Array.from({ length: chunks }, () => reader.varint());
    }
    if ((flags & INLINE) !== 0) readBody(reader, session, version, bytes);
    else {
      session.hasBody = false;
      session.stored = true;
    }
    user.append(session);
  }
}

/** Live sessions lie in their user's record; closed ones have one of their own. */
export function isInline(session: Session): boolean {
  return session.tiersPassed === 0;
}

/** The body of a closed session. */
export function encodeSession(writer: RecordWriter, session: Session): Uint8Array {
  writer.byte(VERSION);
  writeBody(writer, session);
  return writer.finish();
}

/** Gives a session, known by its header, its body back. */
export function decodeSession(session: Session, bytes: Uint8Array): void {
  const reader = new RecordReader(bytes);
  readBody(reader, session, readVersion(reader), bytes);
}

export function encodeChunk(writer: RecordWriter, ids: readonly number[]): Uint8Array {
  writer.byte(VERSION);
  writer.varint(ids.length);
  for (const id of ids) writer.float(id);
  return writer.finish();
}

export function decodeChunk(bytes: Uint8Array): number[] {
  const reader = new RecordReader(bytes);
  readVersion(reader);
  return Array.from({ length: reader.varint() }, () => reader.float());
}

function readVersion(reader: RecordReader): number {
  const version = reader.byte();
  if (version === VERSION || version === EVENTS_AS_FIELDS) return version;
  throw new RangeError(`record of an unknown version ${version}`);
}

function writeBody(writer: RecordWriter, session: Session): void {
  const { start } = session;
  const tail = session.ids === null ? NONE : session.ids.tail;
  writer.varint(tail.length);
  for (const id of tail) writer.float(id);
  session.writeWaiting(writer);
  writeTime(writer, session.firstArrival);
  writeTime(writer, session.lastArrival);
  writer.varint(session.lateCount);
  writer.varint(session.duplicateCount);
  writer.varint(session.endOvertakenCount);
  writer.byte(session.folded === null ? 0 : 1);
  if (session.folded !== null) writeFigures(writer, session.folded, start);
}

function readBody(
  reader: RecordReader,
  session: Session,
  version: number,
  bytes: Uint8Array,
): void {
  const { start } = session;
  session.hasBody = true;
  const foldedIds = reader.varint();
  if (foldedIds > 0) {
    session.ids ??= new EventIds();
    session.ids.tail = Array.from({ length: foldedIds }, () => reader.float());
  }
  const waiting = reader.varint();
  if (version === EVENTS_AS_FIELDS) readEvents(reader, session, waiting);
  else {
    const length = reader.varint();
    session.wait(bytes, reader.skip(length), length, waiting);
  }
  session.firstArrival = readTime(reader) ?? Number.POSITIVE_INFINITY;
  session.lastArrival = readTime(reader) ?? Number.NEGATIVE_INFINITY;
  session.lateCount = reader.varint();
  session.duplicateCount = reader.varint();
  session.endOvertakenCount = reader.varint();
  session.folded = reader.byte() === 0 ? null : readFigures(reader, start);
}

const WITH_SOURCE = 1;
const WITH_AMOUNT = 2;

function readEvents(reader: RecordReader, session: Session, count: number): void {
  const packed = new Uint8Array(MAX_PACKED_BYTES);
  for (let left = count; left > 0; left--) {
    const end = packEvent(readEvent(reader, session.start), packed, 0);
    session.wait(packed, 0, end, 1);
  }
}

function readEvent(reader: RecordReader, start: number): EventFacts {
  const flags = reader.byte();
  const source = (flags & WITH_SOURCE) !== 0;
  const amount = (flags & WITH_AMOUNT) !== 0;
  return {
    timestamp: start + reader.varint(),
    idHash: reader.float(),
    eventType: reader.text()!,
    page: reader.text(),
    device: reader.text(),
    referrer: source ? reader.text() : null,
    utmSource: source ? reader.text() : null,
    utmMedium: source ? reader.text() : null,
    utmCampaign: source ? reader.text() : null,
    amountMicros: amount ? reader.bigint() : null,
    currency: amount ? reader.text() : null,
  };
}

function writeFigures(writer: RecordWriter, figures: Figures, start: number): void {
  writer.varint(figures.types.names.length);
  const { names, values } = figures.types;
  for (let index = 0; index < names.length; index++) {
    const { count, firstTime } = values[index]!;
    writer.text(names[index]!);
    writer.varint(count);
    writer.varint(firstTime - start);
  }
  writeMoney(writer, figures.revenue);
  writeMoney(writer, figures.cartValue);
  writer.bigint(figures.revenueMicros);
  writer.bigint(figures.cartMicros);
  writer.varint(figures.pageViews);
  writer.varint(figures.searches);
  writer.varint(figures.addToCarts);
  writer.varint(figures.purchases);
  writeTime(writer, figures.firstConversionTime);
  const { entry, exit, device } = figures;
  writeSeen(writer, entry, entry === null ? null : entry.page, start);
  writeSeen(writer, exit, exit === null ? null : exit.page, start);
  writeSeen(writer, device, device === null ? null : device.device, start);
  writeAttribution(writer, figures.attribution!, start);
  writer.varint(figures.pages.length * 2 + (figures.pagesTruncated ? 1 : 0));
  for (const page of figures.pages) writer.float(page);
  writer.varint(figures.trail.length * 2 + (figures.trailTruncated ? 1 : 0));
  for (const entry of figures.trail) {
    writer.varint(entry.timestamp - start);
    writer.float(entry.idHash);
    writer.text(entry.eventType);
    writer.text(entry.page);
  }
}

function writeMoney(writer: RecordWriter, sums: SmallestNames<MoneyFigure>): void {
  writer.varint(sums.names.length);
  for (let index = 0; index < sums.names.length; index++) {
    writer.text(sums.names[index]!);
    writer.bigint(sums.values[index]!.micros);
  }
}

function readFigures(reader: RecordReader, start: number): Figures {
  const figures = new Figures();
  for (let left = reader.varint(); left > 0; left--) {
    const type = figures.types.claim(reader.text()!)!;
    type.count = reader.varint();
    type.firstTime = start + reader.varint();
  }
  for (const sums of [figures.revenue, figures.cartValue]) {
    for (let left = reader.varint(); left > 0; left--) {
      sums.claim(reader.text()!)!.micros = reader.bigint();
    }
  }
  figures.revenueMicros = reader.bigint();
  figures.cartMicros = reader.bigint();
  figures.pageViews = reader.varint();
  figures.searches = reader.varint();
  figures.addToCarts = reader.varint();
  figures.purchases = reader.varint();
  figures.firstConversionTime = readTime(reader) ?? Number.POSITIVE_INFINITY;
  figures.entry = readPage(reader, start);
  figures.exit = readPage(reader, start);
  const device = reader.text();
  figures.device = device === null ? null : { device, ...readSeen(reader, start) };
  figures.attribution = {
    ...readSeen(reader, start),
    referrer: reader.text(),
    utmSource: reader.text(),
    utmMedium: reader.text(),
    utmCampaign: reader.text(),
  };
  const pages = reader.varint();
  figures.pages = Array.from({ length: pages >> 1 }, () => reader.float());
  figures.pagesTruncated = (pages & 1) !== 0;
  const trail = reader.varint();
  for (let left = trail >> 1; left > 0; left--) {
    const timestamp = start + reader.varint();
    const idHash = reader.float();
    figures.trail.push({ timestamp, idHash, eventType: reader.text()!, page: reader.text() });
  }
  figures.trailTruncated = (trail & 1) !== 0;
  return figures;
}

function writeTime(writer: RecordWriter, time: number): void {
  if (Number.isFinite(time)) {
    writer.byte(1);
    writer.signed(time);
  } else writer.byte(0);
}

function readTime(reader: RecordReader): number | null {
  return reader.byte() === 0 ? null : reader.signed();
}

/** The text that an event is kept for, and which event it was. */
function writeSeen(
  writer: RecordWriter,
  seen: Seen | null,
  text: string | null,
  start: number,
): void {
  writer.text(text);
  if (seen === null) return;
  writer.varint(seen.timestamp - start);
  writer.float(seen.idHash);
}

function readSeen(reader: RecordReader, start: number): Seen {
  return { timestamp: start + reader.varint(), idHash: reader.float() };
}

function readPage(reader: RecordReader, start: number): PageSeen | null {
  const page = reader.text();
  return page === null ? null : { page, ...readSeen(reader, start) };
}

function writeAttribution(writer: RecordWriter, seen: Attribution, start: number): void {
  writer.varint(seen.timestamp - start);
  writer.float(seen.idHash);
  writer.text(seen.referrer);
  writer.text(seen.utmSource);
  writer.text(seen.utmMedium);
  writer.text(seen.utmCampaign);
}
