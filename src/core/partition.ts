/** A partition of the stream: its clock, its users' sessions, and what becomes of each event. */
import { Arena } from './arena.ts';
import { Deadlines } from './deadlines.ts';
import type { SessionDefinition } from './definition.ts';
import { describe, type Identity } from './describe.ts';
import type { Event } from './event.ts';
import { sessionIdOf } from './hash.ts';
import { chunkKey, sessionKey } from './keys.ts';
import type { CloseReason, Fate, SentRecord, Teller } from './output.ts';
import { hasMadeUpId, isAnyType, MAX_PACKED_BYTES, packEvent, packedTime } from './packed-event.ts';
import {
  absorb,
  byStart,
  keptApart,
  SENT_ACTIVE,
  SENT_CLOSED,
  SENT_NOTHING,
  Session,
  sendDeadline,
  settleDeadline,
  tiersPassedAt,
  touches,
} from './session.ts';
import { User } from './user.ts';
import { Users } from './users.ts';

/** Sessions of a user that may be unsettled at once; beyond it the oldest is settled early. */
const MAX_UNSETTLED = 1000;
/** Events of a session when its definition sets no bound: the ids of all of them are kept. */
const HARD_MAX_EVENTS = 1_000_000;

/** Room for an event that comes unpacked. */
const SCRATCH = new Uint8Array(MAX_PACKED_BYTES);

const AS_RECORDS: Teller<SentRecord> = {
  session: (...described) => describe(...described),
  merged: (record) => record,
};

export interface PartitionOptions<Sent = SentRecord> {
  readonly definition: SessionDefinition;
  /** Where its events come from: session ids are made of it. */
  readonly identity: Identity;
  /** Whether a store keeps what is not in memory; without one everything is kept in memory. */
  readonly stored: boolean;
  /** Without one, sent sessions are told as records. */
  readonly teller?: Teller<Sent>;
  /** For its sessions' events; where many small partitions follow one another they share it. */
  readonly arena?: Arena;
}

/** Sessions by what happened to them, since the partition was made. */
export interface PartitionCounts {
  opened: number;
  merged: number;
  closed: number;
  amended: number;
  revived: number;
  settled: number;
  capped: number;
}

/**
 * Decides, and only decides: no I/O, no time of its own, no randomness. Its input is the events
 * in the order of their offsets and the sending clock; everything else follows.
 */
export class Partition<Sent = SentRecord> {
  readonly definition: SessionDefinition;
  readonly identity: Identity;
  readonly users = new Users();
  readonly counts: PartitionCounts = {
    opened: 0,
    merged: 0,
    closed: 0,
    amended: 0,
    revived: 0,
    settled: 0,
    capped: 0,
  };
  /** The event clock: the highest time accepted; an event moves it to at most its arrival. */
  clock = Number.NEGATIVE_INFINITY;
  /** What was sent since the last `takeSent`, in order. */
  #sent: Sent[] = [];
  readonly #teller: Teller<Sent>;
  /** Users changed since the last freeze. */
  readonly #dirty: User[] = [];
  readonly #calendar: Deadlines<User>;
  /** Have something to forget by the sending clock, for which they wait for the event clock. */
  readonly #parked = new Set<User>();
  /** When the first of them need wait no longer. */
  #unparkAt = Number.POSITIVE_INFINITY;
  // Of the event at hand; kept to be used again, since an array an event is dear.
  readonly #touched: Session[] = [];
  readonly #joined: Session[] = [];
  readonly #apart: Apart[] = [];
  /** Holds the events of its sessions. */
  readonly arena: Arena;
  readonly #stored: boolean;
  readonly #maxEvents: number;

  constructor(options: PartitionOptions<Sent>) {
    this.definition = options.definition;
    this.identity = options.identity;
    // `Sent` is something else only where a teller makes it.
    this.#teller = options.teller ?? (AS_RECORDS as Teller<unknown> as Teller<Sent>);
    this.#stored = options.stored;
    this.arena = options.arena ?? new Arena();
    this.#maxEvents = options.definition.maxEvents || HARD_MAX_EVENTS;
    const closesAfterMs = options.definition.gapMs + options.definition.tiersMs[0]!;
    this.#calendar = new Deadlines(Math.max(1, Math.min(60_000, Math.ceil(closesAfterMs / 32))));
  }

  /**
   * Applies one event. With a store, everything that `Loader.want` names for it must have been
   * installed. `arrivalMs` is null where events have none (files): then no time is too far ahead.
   * `late` and `rejected` change nothing. `user` is the event's, where the caller has it at hand.
   */
  apply(
    event: Event,
    offset: number,
    arrivalMs: number | null,
    user: User = this.#user(event.userId),
  ): Fate {
    packEvent(event, SCRATCH, 0);
    return this.applyPacked(SCRATCH, 0, offset, arrivalMs, user);
  }

  /** The same for an event that is packed, whose bytes are changed by it. */
  applyPacked(
    event: Uint8Array,
    at: number,
    offset: number,
    arrivalMs: number | null,
    user: User,
  ): Fate {
    const { definition } = this;
    const time = packedTime(event, at);
    if (arrivalMs !== null && time > arrivalMs + definition.maxFutureMs) return 'rejected';
    user.recent = true;
    // As if the calendar had been looked at after every event: what is sent, and how often, must
    // not depend on how the stream is cut into batches.
    if (user.nextDue(definition) < this.clock) this.#sendDue(user, this.clock);

    this.#touch(user, time);
    for (const session of this.#touched) {
      if (hasMadeUpId(event, at) || !session.has(event, at)) continue;
      session.duplicateCount++;
      session.dirty = true;
      this.markDirty(user);
      return 'duplicate';
    }
    this.#join(time);
    const endsSession = isAnyType(event, at, definition.endTypes);
    const clock = Math.max(this.clock, arrivalMs === null ? time : Math.min(time, arrivalMs));
    const tiersPassed = this.#judge(time, endsSession, clock);
    if (tiersPassed === definition.tiersMs.length) {
      this.#dropEmpty(user);
      return 'late';
    }
    this.clock = clock;

    const joined = this.#joined;
    const mergedSent = joined.length > 1 && joined.some(({ sent }) => sent !== SENT_NOTHING);
    const session = joined.length === 0 ? this.#open(user, offset, time) : this.#merge(user);
    if (endsSession) endBy(session, time);
    session.addPacked(event, at, offset, arrivalMs);
    if (tiersPassed > 0) session.lateCount++;
    session.tiersPassed = tiersPassed;
    session.openedLate = tiersPassed > 0 && (joined.length === 0 || session.openedLate);
    session.changed = true;
    session.dirty = true;
    for (const other of this.#apart) this.#keepApart(user, session, other);
    this.#sendAtOnce(user, session, mergedSent);
    this.#reschedule(user, session);
    this.markDirty(user);
    if (tiersPassed > 0) return 'amended';
    return joined.length === 0 ? 'opened' : joined.length === 1 ? 'extended' : 'bridged';
  }

  /**
   * Sends what is due by `sendingClock` and forgets what is settled by the event clock, for at
   * most `limit` users; returns how many it looked at, so that less than `limit` means all.
   */
  sweep(sendingClock: number, limit: number): number {
    if (this.#unparkAt < this.clock) this.#unpark();
    let looked = 0;
    while (looked < limit) {
      const user = this.#calendar.pop(sendingClock);
      if (user === null) break;
      if (user.evicted) continue;
      looked++;
      this.#sendDue(user, sendingClock);
      this.#dropEmpty(user);
      const due = user.nextDue(this.definition);
      if (due < sendingClock) this.#park(user, due);
      else this.#calendar.schedule(user, due);
    }
    return looked;
  }

  /** What is settled by the sending clock alone may not be forgotten; the rest is still sent. */
  #park(user: User, due: number): void {
    this.#parked.add(user);
    if (due < this.#unparkAt) this.#unparkAt = due;
    this.#calendar.schedule(user, user.sendDue(this.definition));
  }

  #unpark(): void {
    for (const user of this.#parked) {
      if (!user.evicted) this.#calendar.schedule(user, user.nextDue(this.definition));
    }
    this.#parked.clear();
    this.#unparkAt = Number.POSITIVE_INFINITY;
  }

  /** The sessions sent since the last call, in order. */
  takeSent(): Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** Users changed since the last call. */
  takeDirty(): User[] {
    for (const user of this.#dirty) user.dirty = false;
    return this.#dirty.splice(0);
  }

  get changedUsers(): number {
    return this.#dirty.length;
  }

  get hasChanges(): boolean {
    return this.#dirty.length > 0 || this.#sent.length > 0;
  }

  /** Takes in a user that the store gave back. */
  adopt(user: User): void {
    this.#calendar.schedule(user, user.nextDue(this.definition));
  }

  markDirty(user: User): void {
    if (user.dirty || !this.#stored) return;
    user.dirty = true;
    this.#dirty.push(user);
  }

  /** The public id of a session of this partition. */
  sessionId(offset: number): string {
    return sessionIdOf(this.identity.logId, this.identity.partition, offset);
  }

  #user(userId: string): User {
    const known = this.users.get(userId);
    if (known !== undefined) {
      if (!known.loaded) throw new Error(`user applied before it was loaded: ${userId}`);
      return known;
    }
    if (this.#stored) throw new Error(`user applied without being asked for: ${userId}`);
    const user = new User(userId, true);
    this.users.set(userId, user);
    return user;
  }

  /** Without a store nothing is left of a user whose sessions are settled. */
  #dropEmpty(user: User): void {
    if (this.#stored || user.first !== null) return;
    this.users.delete(user.id);
    user.evicted = true;
  }

  /** Finds the sessions that an event at `time` touches, by start. */
  #touch(user: User, time: number): void {
    const { gapMs } = this.definition;
    const touched = this.#touched;
    empty(touched);
    for (let session = user.first; session !== null; session = session.next) {
      if (!touches(session, time, gapMs)) continue;
      if (!session.loaded) throw new Error(`session touched before it was loaded: ${user.id}`);
      touched.push(session);
    }
    if (touched.length > 1) touched.sort(byStart);
  }

  /** Which of the touched sessions the event joins, earliest first, within the caps. */
  #join(time: number): void {
    const { maxDurationMs } = this.definition;
    const joined = this.#joined;
    empty(joined);
    empty(this.#apart);
    let start = time;
    let end = time;
    let count = 1;
    for (const session of this.#touched) {
      const mergedStart = Math.min(start, session.start);
      const mergedEnd = Math.max(end, session.end);
      if (joined.length > 0 && joined.some((earlier) => keptApart(earlier, session))) continue;
      if (maxDurationMs > 0 && mergedEnd - mergedStart > maxDurationMs) {
        this.#apart.push({ session, reason: 'max_duration' });
      } else if (count + session.eventCount > this.#maxEvents) {
        this.#apart.push({ session, reason: 'max_events' });
      } else {
        joined.push(session);
        start = mergedStart;
        end = mergedEnd;
        count += session.eventCount;
      }
    }
  }

  /** How many tiers the session that the event would make has passed: merge first, then judge. */
  #judge(time: number, endsSession: boolean, clock: number): number {
    let end = time;
    let ended = endsSession;
    for (const session of this.#joined) {
      if (session.end > end) {
        end = session.end;
        ended = session.ended;
      } else if (session.end === end && session.ended) ended = true;
    }
    return tiersPassedAt(end, ended, clock, this.definition);
  }

  #open(user: User, offset: number, time: number): Session {
    if (user.first !== null && user.sessions.length >= MAX_UNSETTLED) this.#settleOldest(user);
    const session = new Session(offset, time, this.arena);
    // After an explicit end nothing touches, yet it is what came before.
    let before: Session | null = null;
    for (let other = user.first; other !== null; other = other.next) {
      if (!other.ended || time <= other.end || time > other.end + this.definition.gapMs) continue;
      if (before === null || other.end > before.end) before = other;
    }
    if (before !== null) session.previousOffset = before.offset;
    user.append(session);
    this.counts.opened++;
    return session;
  }

  /** Merges the joined sessions into the one opened first; the others are sent as merged. */
  #merge(user: User): Session {
    const joined = this.#joined;
    if (joined.length === 1) return joined[0]!;
    const survivor = joined.reduce((first, other) => (other.offset < first.offset ? other : first));
    const revision = Math.max(...joined.map((session) => session.revision)) + 1;
    for (const absorbed of joined) {
      if (absorbed === survivor) continue;
      absorb(survivor, absorbed);
      user.remove(absorbed);
      this.#forgetRecord(user, absorbed);
      const merged = {
        sessionId: this.sessionId(absorbed.offset),
        userId: user.id,
        state: 'merged',
        mergedInto: this.sessionId(survivor.offset),
        revision,
      } as const;
      this.#sent.push(this.#teller.merged(merged, absorbed.offset));
      for (const other of user.sessions) {
        if (other.previousOffset !== absorbed.offset) continue;
        other.previousOffset = other === survivor ? -1 : survivor.offset;
      }
      this.counts.merged++;
    }
    return survivor;
  }

  /** A cap keeps two touched sessions apart, for ever. */
  #keepApart(user: User, session: Session, { session: other, reason }: Apart): void {
    const [earlier, later] = byStart(session, other) < 0 ? [session, other] : [other, session];
    later.cutBefore = true;
    if (later.previousOffset < 0) {
      later.previousOffset = earlier.offset;
      this.#change(user, later);
    }
    earlier.cutAfter = true;
    if (earlier.closedBy === null) {
      earlier.closedBy = reason;
      this.#change(user, earlier);
      this.counts.capped++;
    }
  }

  /** What others see of a session changed: it is due at the next deadline by the event clock. */
  #change(user: User, session: Session): void {
    const { end, ended } = session;
    session.changed = true;
    session.tiersPassed = tiersPassedAt(end, ended, this.clock, this.definition);
    session.dirty = true;
    this.#reschedule(user, session);
  }

  /** What can't wait for a deadline: a sent session that lives again, or a late one's first row. */
  #sendAtOnce(user: User, session: Session, mergedSent: boolean): void {
    const { tiersPassed } = session;
    if (tiersPassed === 0) {
      if (session.sent !== SENT_CLOSED && !mergedSent) return;
      if (session.sent === SENT_CLOSED) this.counts.revived++;
      this.#send(user, session, 'active', null);
      session.sent = SENT_ACTIVE;
      // It is still to be sent when it closes again.
      session.changed = true;
    } else if (session.sent !== SENT_CLOSED || mergedSent || session.openedLate) {
      this.#sendClosed(user, session, tiersPassed - 1);
    }
  }

  #sendClosed(user: User, session: Session, tier: number): void {
    const again = session.sent === SENT_CLOSED;
    this.#send(user, session, again ? 'amended' : 'closed', tier);
    session.sent = SENT_CLOSED;
    if (again) this.counts.amended++;
    else this.counts.closed++;
  }

  #send(
    user: User,
    session: Session,
    state: 'active' | 'closed' | 'amended',
    tier: number | null,
  ): void {
    session.revision++;
    session.changed = false;
    session.dirty = true;
    const { identity, definition } = this;
    this.#sent.push(this.#teller.session(identity, definition, user.id, session, state, tier));
  }

  /** Sends a user's sessions whose deadline has passed, and forgets those that are settled. */
  #sendDue(user: User, sendingClock: number): void {
    const { definition } = this;
    let settled = false;
    for (let session = user.first; session !== null; session = session.next) {
      if (session.changed) {
        const passed = tiersPassedAt(session.end, session.ended, sendingClock, definition);
        if (passed > session.tiersPassed) {
          // The deadline it was waiting for names the tier, however far the clock has jumped.
          this.#sendClosed(user, session, session.tiersPassed);
          session.tiersPassed = passed;
          this.markDirty(user);
        }
      }
      if (this.clock > settleDeadline(session, definition)) settled = true;
    }
    if (settled) this.#forgetSettled(user);
    if (user.storedMinute !== null && user.storedMinute * 60_000 <= sendingClock) {
      this.markDirty(user);
    }
  }

  #forgetSettled(user: User): void {
    for (let session = user.first; session !== null; session = session.next) {
      if (this.clock <= settleDeadline(session, this.definition)) continue;
      this.#forget(user, session);
      user.remove(session);
    }
  }

  #forget(user: User, session: Session): void {
    this.#forgetRecord(user, session);
    session.release();
    if (this.#stored && session.ids !== null) {
      const unwritten = new Set(session.ids.unwritten.map((chunk) => chunk.name));
      for (const name of session.ids.chunks) {
        if (!unwritten.has(name)) user.deleteLater(chunkKey(user.id, name));
      }
    }
    this.counts.settled++;
    this.markDirty(user);
  }

  #forgetRecord(user: User, session: Session): void {
    if (session.stored) user.deleteLater(sessionKey(user.id, session.offset));
  }

  #settleOldest(user: User): void {
    const oldest = user.sessions.reduce((one, other) => (other.end < one.end ? other : one));
    if (oldest.changed) this.#sendClosed(user, oldest, oldest.tiersPassed);
    this.#forget(user, oldest);
    user.remove(oldest);
  }

  #reschedule(user: User, session: Session): void {
    const { definition } = this;
    const due = Math.min(sendDeadline(session, definition), settleDeadline(session, definition));
    this.#calendar.schedule(user, due);
  }
}

/** Empties an array that is filled again at once; `length = 0` would give up its memory. */
function empty(array: unknown[]): void {
  while (array.length > 0) array.pop();
}

/** A touched session that a cap keeps out. */
interface Apart {
  readonly session: Session;
  readonly reason: CloseReason;
}

/** An explicit end counts only if no event of the session is later. */
function endBy(session: Session, time: number): void {
  if (time < session.end) {
    session.endOvertakenCount++;
    return;
  }
  session.ended = true;
  session.cutAfter = true;
  session.closedBy = 'explicit';
}
