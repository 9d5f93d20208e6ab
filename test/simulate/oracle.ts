/** The rules of sessions told naively: whole event lists, everything re-sorted, no indexes. */
import { durationText, type SessionDefinition } from '../../src/core/definition.ts';
import type { Event } from '../../src/core/event.ts';
import { sessionIdOf } from '../../src/core/hash.ts';
import type { CloseReason, Fate, MergedRecord, SessionRecord } from '../../src/core/output.ts';
import { figuresOf, inOrder, iso, type Placed } from './oracle-figures.ts';

/** A session as the model holds it: its events, and what arrival has left on it. */
export interface Held {
  readonly id: string;
  readonly userId: string;
  readonly firstOffset: number;
  readonly events: readonly Placed[];
  /** Times of its first and last event. */
  readonly start: number;
  readonly end: number;
  ended: boolean;
  closedBy: CloseReason | null;
  cutBefore: boolean;
  cutAfter: boolean;
  previousSessionId: string | null;
  lateCount: number;
  duplicateCount: number;
  endOvertakenCount: number;
  revision: number;
  sentAs: 'never' | 'active' | 'closed';
  /** Changed since it was last sent. */
  changed: boolean;
  /** How many tiers it had passed, by the event clock, when it last changed. */
  passedAtChange: number;
  /** Opened by a late event and not live since: each late event of it is sent at once. */
  openedLate: boolean;
}

/** A record but for what only the core decides: the channel, and what the sending puts on it. */
export type OracleSession = Omit<SessionRecord, 'channel' | 'state' | 'revision' | 'tier'>;

export type OracleSend =
  | MergedRecord
  | (OracleSession & Pick<SessionRecord, 'state' | 'revision' | 'tier'>);

export class Oracle {
  readonly sent: OracleSend[] = [];
  readonly late: Placed[] = [];
  readonly rejected: Placed[] = [];
  /** Events that are in a session now; each is in exactly one. */
  readonly accepted: Placed[] = [];
  clockMs = Number.NEGATIVE_INFINITY;
  private readonly definition: SessionDefinition;
  private readonly logId: string;
  private readonly partition: number;
  private reachable: Held[] = [];
  private readonly settled: Held[] = [];

  constructor(definition: SessionDefinition, logId: string, partition: number) {
    this.definition = definition;
    this.logId = logId;
    this.partition = partition;
  }

  /** Everything that follows from one event, the sending of what its time makes due included. */
  apply(placed: Placed): Fate {
    const fate = this.judge(placed);
    this.settle();
    this.advance(this.clockMs);
    return fate;
  }

  /** Sends what is due by a sending clock; without silence that is the event clock. */
  advance(sendingClockMs: number): void {
    for (const session of [...this.reachable, ...this.settled].sort(byStart)) {
      if (!session.changed) continue;
      const { passedAtChange, sentAs } = session;
      // Sent closed before: at the next deadline. Not yet: at the one that it has just passed.
      const tier =
        sentAs === 'closed' || passedAtChange === 0 ? passedAtChange : passedAtChange - 1;
      if (sendingClockMs > this.deadline(session, tier)) this.send(session, tier);
    }
  }

  /** Every session there is or was, absorbed ones aside. */
  sessions(): OracleSession[] {
    return [...this.settled, ...this.reachable].sort(byStart).map((each) => this.describe(each));
  }

  /** Those that are live by the event clock. */
  open(): OracleSession[] {
    return this.reachable
      .filter((session) => this.passed(session) === 0)
      .map((session) => this.describe(session));
  }

  private judge(placed: Placed): Fate {
    const { event, arrivalMs } = placed;
    const { gapMs, tiersMs, maxFutureMs } = this.definition;
    const time = event.timestamp;
    const arrival = arrivalMs ?? Number.POSITIVE_INFINITY;
    if (time > arrival + maxFutureMs) {
      this.rejected.push(placed);
      return 'rejected';
    }
    const own = this.reachable.filter((session) => session.userId === event.userId);
    const touched = own
      .filter((each) => each.start - gapMs <= time && time <= each.end + this.gapOf(each))
      .sort(byStart);
    for (const session of touched) {
      if (session.events.some((each) => each.event.idHash === event.idHash)) {
        session.duplicateCount++;
        return 'duplicate';
      }
    }
    this.clockMs = Math.max(this.clockMs, Math.min(time, arrival));
    const { joined, apart } = this.choose(touched, time);
    const merged = this.merge(joined, placed);
    const passed = this.passed(merged);
    if (passed === tiersMs.length) {
      this.late.push(placed);
      return 'late';
    }
    this.accepted.push(placed);
    if (passed > 0) merged.lateCount++;
    this.change(merged);
    if (passed === 0) merged.openedLate = false;
    this.reachable = this.reachable.filter((session) => !joined.includes(session));
    this.reachable.push(merged);
    for (const session of this.reachable) {
      if (!joined.some((absorbed) => absorbed.id === session.previousSessionId)) continue;
      session.previousSessionId = session === merged ? null : merged.id;
    }
    if (joined.length === 0) {
      const ended = own
        .filter((each) => each.ended && each.end < time && time <= each.end + gapMs)
        .sort((a, b) => b.end - a.end);
      merged.previousSessionId ??= ended[0]?.id ?? null;
    }
    for (const [session, reason] of apart) this.keepApart(session, merged, reason);
    this.sendLineage(joined, merged, passed);
    if (passed > 0) return 'amended';
    return joined.length === 0 ? 'opened' : joined.length === 1 ? 'extended' : 'bridged';
  }

  /** Earliest first, what can be joined within the caps; and what a cap keeps apart. */
  private choose(touched: readonly Held[], time: number) {
    const { maxDurationMs, maxEvents } = this.definition;
    const joined: Held[] = [];
    const apart: [Held, 'max_duration' | 'max_events'][] = [];
    for (const session of touched) {
      const barred = joined.some((each) => each.ended || (each.cutAfter && session.cutBefore));
      if (barred) continue;
      const all = [...joined, session];
      const start = Math.min(time, ...all.map((each) => each.start));
      const end = Math.max(time, ...all.map((each) => each.end));
      const count = all.reduce((sum, each) => sum + each.events.length, 1);
      if (maxDurationMs > 0 && end - start > maxDurationMs) apart.push([session, 'max_duration']);
      else if (maxEvents > 0 && count > maxEvents) apart.push([session, 'max_events']);
      else joined.push(session);
    }
    return { joined, apart };
  }

  /** What the event and the sessions that it joins would be as one; changes none of them. */
  private merge(joined: readonly Held[], placed: Placed): Held {
    const { event } = placed;
    const survivor = [...joined].sort((a, b) => a.firstOffset - b.firstOffset)[0];
    const events = inOrder([...joined.flatMap((session) => session.events), placed]);
    const end = events.at(-1)!.event.timestamp;
    const endsIt = this.definition.endTypes.includes(event.eventType);
    // What parts it from others comes from its own ends: its earliest and its latest session.
    const first = joined[0];
    const last = [...joined].sort((a, b) => a.end - b.end || byStart(a, b)).at(-1);
    const keepsEnd = last !== undefined && last.end === end;
    const endsOvertaken = joined.filter((each) => each.ended && each !== last).length;
    const endedNow = endsIt && event.timestamp === end;
    const sum = (pick: (session: Held) => number) =>
      joined.reduce((total, session) => total + pick(session), 0);
    return {
      id: survivor?.id ?? sessionIdOf(this.logId, this.partition, placed.offset),
      userId: event.userId,
      firstOffset: survivor?.firstOffset ?? placed.offset,
      events,
      start: events[0]!.event.timestamp,
      end,
      ended: endedNow || (keepsEnd && last.ended),
      closedBy: endedNow ? 'explicit' : (last?.closedBy ?? null),
      cutBefore: first?.cutBefore ?? false,
      cutAfter: endedNow || (last?.cutAfter ?? false),
      previousSessionId: first?.previousSessionId ?? null,
      lateCount: sum((session) => session.lateCount),
      duplicateCount: sum((session) => session.duplicateCount),
      endOvertakenCount:
        sum((session) => session.endOvertakenCount) + endsOvertaken + (endsIt && !endedNow ? 1 : 0),
      revision: Math.max(0, ...joined.map((session) => session.revision)),
      sentAs: survivor?.sentAs ?? 'never',
      changed: false,
      passedAtChange: 0,
      openedLate: survivor?.openedLate ?? true,
    };
  }

  /** Two sessions that a cap keeps apart: it closed the earlier, which the later one follows. */
  private keepApart(one: Held, other: Held, reason: CloseReason): void {
    const [earlier, later] = byStart(one, other) < 0 ? [one, other] : [other, one];
    earlier.cutAfter = true;
    later.cutBefore = true;
    if (earlier.closedBy === null) {
      earlier.closedBy = reason;
      this.change(earlier);
    }
    if (later.previousSessionId === null) {
      later.previousSessionId = earlier.id;
      this.change(later);
    }
  }

  private change(session: Held): void {
    session.changed = true;
    session.passedAtChange = this.passed(session);
  }

  /** How many tiers a session has passed by the event clock. */
  private passed(session: Held): number {
    const { tiersMs } = this.definition;
    return tiersMs.filter((_, tier) => this.clockMs > this.deadline(session, tier)).length;
  }

  /** What is sent in the same commit, because others have seen what is no longer so. */
  private sendLineage(joined: readonly Held[], merged: Held, passed: number): void {
    for (const session of joined) {
      if (session.id === merged.id) continue;
      const revision = merged.revision + 1;
      const { id: sessionId, userId } = session;
      this.sent.push({ state: 'merged', sessionId, userId, mergedInto: merged.id, revision });
    }
    const seen = joined.some((session) => session.sentAs !== 'never');
    const revived = passed === 0 && merged.sentAs === 'closed';
    if ((seen && (joined.length > 1 || revived)) || merged.openedLate) {
      this.send(merged, passed === 0 ? null : passed - 1);
    }
  }

  /** tier: the one that it has passed; null while it is live. */
  private send(session: Held, tier: number | null): void {
    session.revision++;
    session.changed = false;
    const state = tier === null ? 'active' : session.sentAs === 'closed' ? 'amended' : 'closed';
    session.sentAs = tier === null ? 'active' : 'closed';
    // An active session is due at its first deadline, whatever has been sent.
    if (tier === null) session.changed = true;
    const { revision } = session;
    const label = tier === null ? null : durationText(this.definition.tiersMs[tier]!);
    const described = this.describe(session);
    const closeReason = tier === null ? null : described.closeReason;
    this.sent.push({ ...described, closeReason, state, revision, tier: label });
  }

  private describe(session: Held): OracleSession {
    const arrivals = session.events.map((each) => each.arrivalMs);
    const timed = arrivals.filter((arrivalMs) => arrivalMs !== null);
    const { lateCount, duplicateCount, endOvertakenCount, previousSessionId } = session;
    return {
      sessionId: session.id,
      userId: session.userId,
      ...figuresOf(session.events),
      closeReason: session.closedBy ?? 'inactivity',
      firstArrival: timed.length > 0 ? iso(Math.min(...timed)) : null,
      lastArrival: timed.length > 0 ? iso(Math.max(...timed)) : null,
      lateCount,
      duplicateCount,
      endOvertakenCount,
      previousSessionId,
    };
  }

  /** The last moment, by the clock, at which a session has not yet passed a tier. */
  private deadline(session: Held, tier: number): number {
    return session.end + this.gapOf(session) + this.definition.tiersMs[tier]!;
  }

  private gapOf(session: Held): number {
    return session.ended ? 0 : this.definition.gapMs;
  }

  private settle(): void {
    const last = this.definition.tiersMs.length - 1;
    const out = this.reachable.filter((each) => this.clockMs > this.deadline(each, last));
    this.settled.push(...out);
    this.reachable = this.reachable.filter((session) => !out.includes(session));
  }
}

function byStart(a: Held, b: Held): number {
  return a.start - b.start || a.firstOffset - b.firstOffset;
}

/** The plain answer for what all was accepted, had no cap or end kept anything apart. */
export function sortAndSplit(placed: readonly Placed[], gapMs: number): Placed[][] {
  const users = new Map<string, Event[] | Placed[]>();
  for (const each of placed) {
    const list = (users.get(each.event.userId) ?? []) as Placed[];
    list.push(each);
    users.set(each.event.userId, list);
  }
  const runs: Placed[][] = [];
  for (const list of users.values()) {
    let previous = Number.NEGATIVE_INFINITY;
    for (const each of inOrder(list as Placed[])) {
      if (each.event.timestamp - previous > gapMs) runs.push([]);
      runs.at(-1)!.push(each);
      previous = each.event.timestamp;
    }
  }
  return runs;
}
