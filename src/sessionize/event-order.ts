/** Sessions of events in order of their times, user by user, through the core. */
import { Arena } from '../core/arena.ts';
import type { SessionDefinition } from '../core/definition.ts';
import type { Identity } from '../core/describe.ts';
import type { Described } from '../core/output.ts';
import { Partition } from '../core/partition.ts';
import { type Session, tiersPassedAt } from '../core/session.ts';
import type { User } from '../core/user.ts';
import { NO_ID } from './decoder.ts';
import type { EventCursor } from './event-cursor.ts';

/** Later than anything: nothing closes, so nothing is late. */
const NEVER_MS = 2 ** 50;
/** Ids of events without one: below zero (no duplicates) and rising with their order. */
const FIRST_NO_ID = -(2 ** 31);

/**
 * Every session, by user and start; each is good until the next one is asked for. Each user has a
 * partition to itself, whose events come in order; a session is final once the user's time has
 * passed it by the gap. One that could still go on at `clockMs`, the latest time of all input, is
 * `active`, the rest are `closed`.
 */
export function* sessionsInOrder(
  cursor: EventCursor,
  definition: SessionDefinition,
  clockMs: number,
): Generator<Described> {
  const open = { ...definition, tiersMs: [NEVER_MS] };
  const arena = new Arena();
  while (cursor.nextUser()) {
    const userId = cursor.user;
    // Ids depend on the user and the time of a session's first event, not on its place in a file.
    const identity = { logId: `sessionize:${userId}`, partition: 0 };
    const partition = new Partition({ definition: open, identity, stored: false, arena });
    let user: User | undefined;
    let offset = -1;
    let withoutId = FIRST_NO_ID;
    while (cursor.nextEvent()) {
      const { time } = cursor;
      const idHash = cursor.idHash === NO_ID ? withoutId++ : cursor.idHash;
      offset = Math.max(offset + 1, time);
      partition.apply(cursor.vocabulary.event(userId, time, idHash, cursor.texts), offset, null);
      user ??= partition.users.get(userId)!;
      for (let first = user.first!; first.next !== null; first = user.first!) {
        if (first.end + definition.gapMs >= time) break;
        user.remove(first);
        yield settled(identity, definition, userId, first, clockMs);
        first.release();
      }
    }
    for (const session of user!.sessions) {
      yield settled(identity, definition, userId, session, clockMs);
      session.release();
    }
  }
}

function settled(
  identity: Identity,
  definition: SessionDefinition,
  userId: string,
  session: Session,
  clockMs: number,
): Described {
  const closed = tiersPassedAt(session.end, session.ended, clockMs, definition) > 0;
  session.revision = closed ? 1 : 0;
  const state = closed ? 'closed' : 'active';
  return [identity, definition, userId, session, state, closed ? 0 : null];
}
