/** One session, as it is and as it changes. */
import { useEffect, useState } from 'preact/hooks';
import { get } from '../api.ts';
import type { Session } from '../api-types.ts';
import { openEventStream } from '../event-stream.ts';
import { type Resource, useResource } from '../resource.ts';

/** What is sent of a session that another absorbed. */
interface Merged {
  readonly state: 'merged';
  readonly sessionId: string;
  readonly mergedInto: string;
}

/** `absorbed` is called when the session becomes part of another, whose id it is given. */
export function useSession(sessionId: string, absorbed: (into: string) => void): Resource<Session> {
  const path = `/api/sessions/${encodeURIComponent(sessionId)}`;
  const asked = useResource(path, (signal) => get('/api/sessions/{sessionId}', path, signal));
  const [told, setTold] = useState<Session | null>(null);
  const { data, reload } = asked;
  const userId = data?.userId;
  const shownId = data?.sessionId;

  useEffect(() => {
    if (userId === undefined) return;
    let isFirst = true;
    return openEventStream(`/api/sessions/active/${encodeURIComponent(userId)}/stream`, {
      opened: () => {
        // What changed while there was no connection.
        if (!isFirst) reload();
        isFirst = false;
      },
      told: ({ event, data }) => {
        if (event !== 'session') return;
        const record = JSON.parse(data) as Session | Merged;
        if (record.sessionId !== shownId) return;
        if (record.state === 'merged') absorbed(record.mergedInto);
        else setTold(record);
      },
    });
  }, [userId, shownId, reload, absorbed]);

  useEffect(() => setTold(null), [data]);
  const isNewer = told !== null && told.sessionId === shownId;
  return isNewer ? { ...asked, data: told } : asked;
}
