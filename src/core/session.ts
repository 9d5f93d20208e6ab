/** One session in state: its bounds, its deadlines, and how it grows and merges. */
import { type Arena, sizeFor } from './arena.ts';
import type { SessionDefinition } from './definition.ts';
import type { RecordWriter } from './encoding.ts';
import type { Event, EventFacts } from './event.ts';
import { EventIds } from './event-ids.ts';
import { Figures } from './figures.ts';
import type { CloseReason } from './output.ts';
import {
  hasSameId,
  MAX_PACKED_BYTES,
  packEvent,
  packedEnd,
  packedId,
  packedIdBits,
  packedTime,
  unpackEvent,
  withoutOrigin,
} from './packed-event.ts';
import { highOf, joined, lowOf } from './wide.ts';

/** What was last sent of a session. */
export const SENT_NOTHING = 0;
export const SENT_ACTIVE = 1;
export const SENT_CLOSED = 2;

/** Events that wait to be folded into the figures; one more, and they are. */
export const MAX_PENDING = 40;

/** Room for an event on its way to a session. */
const SCRATCH = new Uint8Array(MAX_PACKED_BYTES);
const NO_BYTES = new Uint8Array(0);

/** From when to when, each as two small integers: see wide.ts. */
class Bounds {
  #startHigh: number;
  #startLow: number;
  #endHigh: number;
  #endLow: number;

  constructor(time: number) {
    this.#startHigh = this.#endHigh = highOf(time);
    this.#startLow = this.#endLow = lowOf(time);
  }

  get start(): number {
    return joined(this.#startHigh, this.#startLow);
  }

  set start(time: number) {
    this.#startHigh = highOf(time);
    this.#startLow = lowOf(time);
  }

  /** Time of its last event. */
  get end(): number {
    return joined(this.#endHigh, this.#endLow);
  }

  set end(time: number) {
    this.#endHigh = highOf(time);
    this.#endLow = lowOf(time);
  }
}

/**
 * A run of one user's events: a header, which is always in memory with its user, and a body
 * (from `hasBody` on), which may be left in the store once the session is closed.
 * What every event needs comes first: it should lie in few cache lines.
 */
export class Session extends Bounds {
  /** The next session of its user. */
  next: Session | null = null;
  /** Tiers whose deadline had passed when it last changed or was last looked at for sending. */
  tiersPassed = 0;
  sent = SENT_NOTHING;
  /** Whether it changed since it was last sent; true for one that was never sent. */
  changed = true;
  /** An explicit end came: nothing later joins, and the gap after it is 0. */
  ended = false;
  eventCount = 0;

  /** Whether the body is here. */
  hasBody = true;
  /**
   * Events not yet in `folded`, packed one after the other from `#at` on. Most sessions close while
   * they still have all of theirs here.
   */
  waiting = 0;
  #bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  #at = 0;
  #length = 0;
  /** Bytes that there is room for. */
  #size = 0;
  readonly #arena: Arena | null;
  /** A filter of their ids: a bit in each for every id, so most new ids are known for new. */
  #seenA = 0;
  #seenB = 0;
  #seenC = 0;
  /** The figures of the events before those, and their ids; null while there are none. */
  folded: Figures | null = null;
  ids: EventIds | null = null;

  /**
   * Opened by a late event, so it never was live: late data comes in pieces, and each piece is
   * sent with its commit, since the deadlines to wait for are hours apart.
   */
  openedLate = false;
  /** Whether it changed since it was last written to the store. */
  dirty = true;
  /** Whether the store holds a record of its own for it. */
  stored = false;
  /** A cap keeps it apart from an earlier session; from a later one. They are never merged. */
  cutBefore = false;
  cutAfter = false;
  /** Set by a cap or an explicit end; null means inactivity. */
  closedBy: CloseReason | null = null;
  /** Offset that identifies the session before it, from which a cap or an end parts it; or -1. */
  previousOffset = -1;
  revision = 0;
  lateCount = 0;
  duplicateCount = 0;
  endOvertakenCount = 0;
  readonly #offsetHigh: number;
  readonly #offsetLow: number;
  #firstHigh = highOf(Number.POSITIVE_INFINITY);
  #firstLow = 0;
  #lastHigh = highOf(Number.NEGATIVE_INFINITY);
  #lastLow = 0;

  /** Without an arena its events lie in bytes of its own. */
  constructor(offset: number, time: number, arena: Arena | null = null) {
    super(time);
    this.#arena = arena;
    this.#offsetHigh = highOf(offset);
    this.#offsetLow = lowOf(offset);
  }

  /** Offset of the first event accepted into it: its identity within the partition. */
  get offset(): number {
    return joined(this.#offsetHigh, this.#offsetLow);
  }

  /** When its events came, which depends on the order of arrival; ±Infinity when never. */
  get firstArrival(): number {
    return joined(this.#firstHigh, this.#firstLow);
  }

  set firstArrival(time: number) {
    this.#firstHigh = highOf(time);
    this.#firstLow = lowOf(time);
  }

  get lastArrival(): number {
    return joined(this.#lastHigh, this.#lastLow);
  }

  set lastArrival(time: number) {
    this.#lastHigh = highOf(time);
    this.#lastLow = lowOf(time);
  }
  /** Whether all that an event needs is in memory. */
  get loaded(): boolean {
    return this.hasBody && (this.ids === null || this.ids.loaded);
  }

  /** Whether it accepted an event with the id of the one at `at`. */
  has(event: Uint8Array, at: number): boolean {
    if (this.ids?.has(packedId(event, at))) return true;
    const bits = packedIdBits(event, at);
    if ((this.#seenA & (1 << bits)) === 0) return false;
    if ((this.#seenB & (1 << (bits >> 5))) === 0) return false;
    if ((this.#seenC & (1 << (bits >> 10))) === 0) return false;
    const bytes = this.#bytes;
    const end = this.#at + this.#length;
    for (let each = this.#at; each < end; each = packedEnd(bytes, each)) {
      if (hasSameId(bytes, each, event, at)) return true;
    }
    return false;
  }

  /** The events that wait, in the order in which they came. */
  waitingEvents(): EventFacts[] {
    const events: EventFacts[] = [];
    const bytes = this.#bytes;
    const end = this.#at + this.#length;
    for (let at = this.#at; at < end; at = packedEnd(bytes, at)) {
      events.push(unpackEvent(bytes, at));
    }
    return events;
  }

  /** The figures of all its events. */
  figures(): Figures {
    if (this.folded !== null) return this.fold();
    // What waits goes on waiting: as events it takes less room, here and in the store.
    const figures = new Figures();
    for (const event of this.waitingEvents()) figures.add(event);
    return figures;
  }

  /** Folds the events that wait into the figures, for good. */
  fold(): Figures {
    this.folded ??= new Figures();
    if (this.waiting === 0) return this.folded;
    this.ids ??= new EventIds();
    for (const event of this.waitingEvents()) {
      this.folded.add(event);
      if (event.idHash >= 0) this.ids.tail.push(event.idHash);
    }
    this.#empty();
    return this.folded;
  }

  /** Takes an event in; `offset` is its place in the log. */
  add(event: Event, offset: number, arrivalMs: number | null): void {
    packEvent(event, SCRATCH, 0);
    this.addPacked(SCRATCH, 0, offset, arrivalMs);
  }

  /** The same for a packed event, whose bytes are the session's to change. */
  addPacked(event: Uint8Array, at: number, offset: number, arrivalMs: number | null): void {
    const time = packedTime(event, at);
    if (time > this.start) {
      if (this.eventCount > 0) withoutOrigin(event, at);
      if (time > this.end) this.end = time;
    } else this.start = time;
    this.eventCount++;
    if (this.waiting === MAX_PENDING) this.fold();
    if (this.ids?.isFull) this.ids.seal(offset);
    this.wait(event, at, packedEnd(event, at) - at, 1);
    if (arrivalMs !== null) {
      if (arrivalMs < this.firstArrival) this.firstArrival = arrivalMs;
      if (arrivalMs > this.lastArrival) this.lastArrival = arrivalMs;
    }
  }

  /** Puts packed events that are counted already to those that wait. */
  wait(events: Uint8Array, from: number, length: number, count: number): void {
    if (this.#length + length > this.#size) this.#grow(this.#length + length);
    const bytes = this.#bytes;
    const start = this.#at + this.#length;
    for (let index = 0; index < length; index++) bytes[start + index] = events[from + index]!;
    this.#length += length;
    this.waiting += count;
    for (let at = start; at < start + length; at = packedEnd(bytes, at)) {
      const bits = packedIdBits(bytes, at);
      this.#seenA |= 1 << bits;
      this.#seenB |= 1 << (bits >> 5);
      this.#seenC |= 1 << (bits >> 10);
    }
  }

  /** Writes the events that wait, for `wait` to take them back. */
  writeWaiting(writer: RecordWriter): void {
    writer.varint(this.waiting);
    writer.varint(this.#length);
    writer.raw(this.#bytes, this.#at, this.#length);
  }

  /** Whether the events of both may wait together. */
  canWaitWith(other: Session): boolean {
    return this.waiting + other.waiting <= MAX_PENDING;
  }

  /** Takes in what waits in another session. */
  waitWith(other: Session): void {
    this.wait(other.#bytes, other.#at, other.#length, other.waiting);
  }

  /** Leaves the body to the store, which has all of it. */
  unload(): void {
    this.hasBody = false;
    this.folded = null;
    this.release();
    if (this.ids?.chunks.length === 0) this.ids = null;
    else this.ids?.unload();
  }

  /** Gives its memory back: it has no events any more. */
  release(): void {
    this.#empty();
    if (this.#size > 0) this.#arena?.give(this.#bytes, this.#at, this.#size);
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#size = 0;
  }

  #empty(): void {
    this.waiting = 0;
    this.#length = 0;
    this.#seenA = this.#seenB = this.#seenC = 0;
  }

  #grow(length: number): void {
    const [bytes, start, end] = [this.#bytes, this.#at, this.#at + this.#length];
    const size = sizeFor(length);
    const at = this.#arena === null ? 0 : this.#arena.take(size);
    const next = this.#arena === null ? new Uint8Array(size) : this.#arena.bytes;
    for (let from = start, to = at; from < end; from++, to++) next[to] = bytes[from]!;
    if (this.#size > 0) this.#arena?.give(bytes, start, this.#size);
    this.#bytes = next;
    this.#at = at;
    this.#size = size;
  }
}

/** Whether an event at `time` belongs to the session as far as time goes (semantics, Joining). */
export function touches(session: Session, time: number, gapMs: number): boolean {
  return time >= session.start - gapMs && time <= session.end + gapAfter(session.ended, gapMs);
}

/** The gap that still counts after a session's last event: none after an explicit end. */
export function gapAfter(ended: boolean, gapMs: number): number {
  return ended ? 0 : gapMs;
}

/**
 * How many tiers a session with this end has passed at `clockMs`. The one comparison for closing,
 * lateness and expiry: passed when `clock > end + gap + tier`.
 */
export function tiersPassedAt(
  end: number,
  ended: boolean,
  clockMs: number,
  definition: SessionDefinition,
): number {
  const { tiersMs, gapMs } = definition;
  const base = end + gapAfter(ended, gapMs);
  let passed = 0;
  while (passed < tiersMs.length && clockMs > base + tiersMs[passed]!) passed++;
  return passed;
}

/** When the session has to be looked at for sending: due when the clock is beyond it. */
export function sendDeadline(session: Session, definition: SessionDefinition): number {
  const { tiersMs, gapMs } = definition;
  if (!session.changed || session.tiersPassed >= tiersMs.length) return Number.POSITIVE_INFINITY;
  return session.end + gapAfter(session.ended, gapMs) + tiersMs[session.tiersPassed]!;
}

/** When it is settled and can be forgotten: due when the event clock is beyond it. */
export function settleDeadline(session: Session, definition: SessionDefinition): number {
  const { tiersMs, gapMs } = definition;
  return session.end + gapAfter(session.ended, gapMs) + tiersMs[tiersMs.length - 1]!;
}

/** Whether two touched sessions (the earlier first) must stay apart for ever. */
export function keptApart(earlier: Session, later: Session): boolean {
  return earlier.ended || (earlier.cutAfter && later.cutBefore);
}

/** Order of touched sessions: by start, then by identity. */
export function byStart(one: Session, other: Session): number {
  return one.start - other.start || one.offset - other.offset;
}

/** Takes `absorbed` into `survivor`; both are loaded. Marks at each end come from that end. */
export function absorb(survivor: Session, absorbed: Session): void {
  const absorbedIsEarlier = byStart(absorbed, survivor) < 0;
  if (absorbedIsEarlier) {
    survivor.cutBefore = absorbed.cutBefore;
    survivor.previousOffset = absorbed.previousOffset;
  }
  if (absorbed.end > survivor.end || (absorbed.end === survivor.end && !absorbedIsEarlier)) {
    survivor.cutAfter = absorbed.cutAfter;
    survivor.ended = absorbed.ended;
    survivor.closedBy = absorbed.closedBy;
  }
  survivor.start = Math.min(survivor.start, absorbed.start);
  survivor.end = Math.max(survivor.end, absorbed.end);
  survivor.eventCount += absorbed.eventCount;
  survivor.revision = Math.max(survivor.revision, absorbed.revision);
  if (survivor.folded !== null || absorbed.folded !== null || !survivor.canWaitWith(absorbed)) {
    survivor.fold().merge(absorbed.fold());
  } else survivor.waitWith(absorbed);
  absorbed.release();
  if (survivor.ids === null) survivor.ids = absorbed.ids;
  else if (absorbed.ids !== null) survivor.ids.absorb(absorbed.ids);
  survivor.firstArrival = Math.min(survivor.firstArrival, absorbed.firstArrival);
  survivor.lastArrival = Math.max(survivor.lastArrival, absorbed.lastArrival);
  survivor.lateCount += absorbed.lateCount;
  survivor.duplicateCount += absorbed.duplicateCount;
  survivor.endOvertakenCount += absorbed.endOvertakenCount;
}
