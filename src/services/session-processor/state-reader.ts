/** Reads a user's sessions as the state has them committed. */
import type { SessionDefinition } from '../../core/definition.ts';
import { describe, type Identity } from '../../core/describe.ts';
import { sessionKey, userKey } from '../../core/keys.ts';
import type { SessionRecord } from '../../core/output.ts';
import { decodeSession, decodeUser } from '../../core/record.ts';
import type { StateStore } from '../../state/state.ts';

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
    if (body) decodeSession(session, body);
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
