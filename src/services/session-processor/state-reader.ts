/** Reads what the state has committed: a user's sessions, and the live ones of a partition. */
import type { SessionDefinition } from '../../core/definition.ts';
import { describe, type Identity } from '../../core/describe.ts';
import { sessionKey, USER_PREFIX, userIdOf, userKey } from '../../core/keys.ts';
import type { SessionRecord } from '../../core/output.ts';
import { decodeSession, decodeUser } from '../../core/record.ts';
import type { Live, LiveUpdate } from '../../live/live.ts';
import type { StateStore } from '../../state/state.ts';

const RESTORE_CHUNK = 1000;

/** The newest live session in a user's record, of which there is one: what the live cache gives. */
export function decodeLive(
  definition: SessionDefinition,
  identity: Identity,
  userId: string,
  record: Uint8Array,
): SessionRecord {
  const session = decodeUser(userId, record).newestLive()!;
  return describe(identity, definition, userId, session, 'active', null);
}

/** A user's sessions that are not settled yet, latest end first. */
export async function committedSessions(
  store: StateStore,
  definition: SessionDefinition,
  identity: Identity,
  userId: string,
): Promise<SessionRecord[]> {
  const { partition } = identity;
  const [record] = await store.getMany(partition, [userKey(userId)]);
  if (!record) return [];
  const { sessions } = decodeUser(userId, record);
  const closed = sessions.filter((session) => !session.hasBody);
  const bodies = await store.getMany(
    partition,
    closed.map((session) => sessionKey(userId, session.offset)),
  );
  for (const [index, session] of closed.entries()) {
    const body = bodies[index];
    if (body) decodeSession(userId, session, body);
  }
  return (
    sessions
      // One that a commit settled between the two reads is no longer among the unsettled.
      .filter((session) => session.hasBody)
      .sort((one, other) => other.end - one.end)
      .map((session) => {
        const open = session.tiersPassed === 0;
        const tier = open ? null : session.tiersPassed - 1;
        const state = open ? 'active' : session.revision > 1 ? 'amended' : 'closed';
        return describe(identity, definition, userId, session, state, tier);
      })
  );
}

/**
 * Brings the live cache up to the state of an opened partition, beside commits that go on: what
 * they publish has a higher position, and stays. Ends early when the signal aborts.
 */
export async function restoreLive(
  store: StateStore,
  live: Live,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  // What is read from now on is at least as new as that.
  const position = store.position(partition);
  let updates: LiveUpdate[] = [];
  for await (const { key, value } of store.scan(partition, USER_PREFIX)) {
    if (signal.aborted) return;
    const userId = userIdOf(key);
    if (decodeUser(userId, value).newestLive() === null) continue;
    updates.push({ userId, session: value });
    if (updates.length < RESTORE_CHUNK) continue;
    await live.publish(partition, position, updates);
    updates = [];
  }
  await live.publish(partition, position, updates);
}
