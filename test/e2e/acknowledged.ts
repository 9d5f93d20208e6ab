/** What became of acknowledged events: each must be in exactly one session of its user. */
import assert from 'node:assert/strict';
import type { SessionRecord } from '../../src/core/output.ts';
import { eventually, get } from '../support/running-system.ts';

export interface Sent {
  readonly eventId: string;
  readonly userId: string;
  readonly timestamp: number;
}

/** Live ones and closed ones of these users. */
async function allSessions(url: string, users: readonly string[]): Promise<SessionRecord[]> {
  const sessions: SessionRecord[] = [];
  for (const userId of users) {
    const active = await get<SessionRecord>(`${url}/api/sessions/active/${userId}`);
    if (active.status === 200) sessions.push(active.body);
    const { body } = await get<{ items: SessionRecord[] }>(
      `${url}/api/sessions/history/${userId}?limit=1000`,
    );
    sessions.push(...body.items);
  }
  return sessions;
}

/** About a tenth of a second apart: what is not there by then is lost. */
const MAX_LOOKS = 300;

/**
 * The sessions once nothing is live and all these events lie in some: one that has just closed is
 * on its way to history for a moment. After half a minute as they are.
 */
export function settledSessions(
  url: string,
  users: readonly string[],
  acknowledged: ReadonlyMap<string, Sent>,
): Promise<SessionRecord[]> {
  let looks = 0;
  return eventually(
    () => allSessions(url, users),
    (found) => isSettled(found, acknowledged) || ++looks === MAX_LOOKS,
  );
}

function isSettled(
  sessions: readonly SessionRecord[],
  acknowledged: ReadonlyMap<string, Sent>,
): boolean {
  if (sessions.some(({ state }) => state === 'active')) return false;
  return [...acknowledged.values()].every((sent) => sessions.some((one) => isWithin(sent, one)));
}

function isWithin({ userId, timestamp }: Sent, session: SessionRecord): boolean {
  return (
    session.userId === userId &&
    Date.parse(session.startTime) <= timestamp &&
    timestamp <= Date.parse(session.endTime)
  );
}

/** Events lie in exactly one session, none lost; one cut off by a kill may count or not. */
export function checkSessions(
  sessions: readonly SessionRecord[],
  acknowledged: ReadonlyMap<string, Sent>,
  uncertain: ReadonlyMap<string, Sent>,
): void {
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, sessions.length);
  const within = (sent: Iterable<Sent>) => {
    const counts = new Map<string, number>();
    for (const one of sent) {
      const home = sessions.filter((session) => isWithin(one, session));
      if (home.length === 0) continue;
      assert.equal(home.length, 1);
      const { sessionId } = home[0]!;
      counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
    }
    return counts;
  };
  const sure = within(acknowledged.values());
  const unsure = within(uncertain.values());
  assert.equal(
    [...sure.values()].reduce((sum, count) => sum + count, 0),
    acknowledged.size,
    'no acknowledged event is outside of every session',
  );
  for (const { sessionId, eventCount } of sessions) {
    const least = sure.get(sessionId) ?? 0;
    assert.ok(eventCount >= least, `${sessionId} has lost events`);
    assert.ok(eventCount <= least + (unsure.get(sessionId) ?? 0), `${sessionId} counted twice`);
  }
}
