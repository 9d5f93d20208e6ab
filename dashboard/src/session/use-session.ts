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
}

export function useSession(sessionId: string): Resource<Session> {
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
        if (record.state === 'merged') reload();
        else setTold(record);
      },
    });
  }, [userId, shownId, reload]);

  useEffect(() => setTold(null), [data]);
  const isNewer = told !== null && told.sessionId === shownId;
  return isNewer ? { ...asked, data: told } : asked;
}
