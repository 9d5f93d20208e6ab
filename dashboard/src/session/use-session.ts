/** One session, as it is and as it changes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get } from '../api.ts';
import type { Session } from '../api-types.ts';
import { openEventStream } from '../event-stream.ts';
import { type Resource, useResource } from '../resource.ts';

const WHAT = 'This session';
const TRIES = 20;
/** An id that was absorbed a moment ago is on its way to history too; a mistyped one is not. */
const FIRST_TRIES = 3;
const RETRY_MS = 500;

/** What is sent of a session that another absorbed. */
interface Merged {
  readonly state: 'merged';
  readonly sessionId: string;
  readonly mergedInto: string;
}

/** `absorbed` is called when the session becomes part of another, whose id it is given. */
export function useSession(sessionId: string, absorbed: (into: string) => void): Resource<Session> {
  const path = `/api/sessions/${encodeURIComponent(sessionId)}`;
  const wasKnown = useRef(false);
  const asked = useResource(WHAT, path, async (signal) => {
    const session = await load(path, wasKnown.current ? TRIES : FIRST_TRIES, signal);
    wasKnown.current = true;
    return session;
  });
  const [told, setTold] = useState<Session | null>(null);
  const { data, reload } = asked;
  const userId = data?.userId;
  const shownId = data?.sessionId;

  useEffect(() => {
    if (userId === undefined) return;
    // What is told is newer than any answer that was asked for before; changes of which nothing is
    // told (while there was no connection, or where some were skipped) have to be asked for.
    const askAgain = () => {
      setTold(null);
      reload();
    };
    return openEventStream(WHAT, `/api/sessions/active/${encodeURIComponent(userId)}/stream`, {
      opened: askAgain,
      told: ({ event, data }) => {
        if (event === 'skipped') askAgain();
        if (event !== 'session') return;
        const record = JSON.parse(data) as Session | Merged;
        if (record.sessionId !== shownId) return;
        if (record.state === 'merged') absorbed(record.mergedInto);
        else setTold(record);
      },
    });
  }, [userId, shownId, reload, absorbed]);

  const isNewer = told !== null && told.sessionId === shownId;
  return isNewer ? { ...asked, data: told } : asked;
}

/** One that was there and is not found has been absorbed: history will say by which. */
async function load(path: string, tries: number, signal: AbortSignal): Promise<Session> {
  for (let left = tries - 1; ; left--) {
    try {
      return await get('/api/sessions/{sessionId}', path, signal);
    } catch (error) {
      if (left === 0 || !(error instanceof ApiError) || error.status !== 404) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
