/** Live sessions as they change: listed once, then followed; listed again after an interruption. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get } from '../api.ts';
import type { Session } from '../api-types.ts';
import { tokenNeed } from '../connection.ts';
import { openEventStream } from '../event-stream.ts';
import { type LiveFilters, LiveSessions, MAX_KEPT } from './live-sessions.ts';

const FIRST_PAGE = 100;
const PAGE = 1000;
/** How often what has changed is drawn. */
const DRAW_MS = 500;
const RETRY_MS = 2000;

export interface LiveList {
  readonly sessions: LiveSessions;
  /** Nothing has been listed yet. */
  readonly isLoading: boolean;
  /** All that there are are known. */
  readonly isWhole: boolean;
  readonly error: ApiError | null;
}

export function useLiveSessions(filters: LiveFilters): LiveList {
  const sessions = useRef(new LiveSessions()).current;
  const [state, setState] = useState({ isLoading: true, isWhole: false });
  const [error, setError] = useState<ApiError | null>(null);
  const [, draw] = useState(0);
  const list = `/api/sessions/active?${query(filters, true)}`;
  const stream = `/api/stream/sessions?state=active&${query(filters, false)}`;

  useEffect(() => {
    let listing = new AbortController();
    sessions.clear();
    setState({ isLoading: true, isWhole: false });
    const listAnew = async () => {
      listing.abort();
      listing = new AbortController();
      const { signal } = listing;
      try {
        await loadAll(list, sessions, signal, (isWhole) => setState({ isLoading: false, isWhole }));
        setError(null);
      } catch (failure) {
        if (signal.aborted) return;
        if (!(failure instanceof ApiError)) throw failure;
        setError(failure);
        if (failure.isPassing) setTimeout(() => signal.aborted || listAnew(), RETRY_MS);
      }
    };
    const close = openEventStream(stream, {
      opened: () => void listAnew(),
      told: ({ event, data }) => {
        if (event === 'session') sessions.set(JSON.parse(data) as Session);
        else if (event === 'gone') sessions.delete((JSON.parse(data) as Session).userId);
        else if (event === 'skipped') void listAnew();
      },
    });
    const stopWaiting = tokenNeed.subscribe(() => {
      if (tokenNeed.get() === 'none') void listAnew();
    });
    return () => {
      close();
      listing.abort();
      stopWaiting();
    };
  }, [list, stream, sessions]);

  useEffect(() => {
    const timer = setInterval(() => document.hidden || draw((turn) => turn + 1), DRAW_MS);
    return () => clearInterval(timer);
  }, []);
  return { sessions, ...state, error };
}

/** The newest first, so that there is something to see at once; then the rest, page by page. */
async function loadAll(
  url: string,
  sessions: LiveSessions,
  signal: AbortSignal,
  progress: (isWhole: boolean) => void,
): Promise<void> {
  const before = new Set(sessions.all().map(({ userId }) => userId));
  const startedMs = Date.now();
  let cursor: string | null = null;
  let count = 0;
  do {
    const limit = cursor === null ? FIRST_PAGE : PAGE;
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: readonly Session[]; nextCursor: string | null } = await get(
      '/api/sessions/active',
      `${url}&limit=${limit}${from}`,
      signal,
    );
    for (const session of page.items) {
      sessions.setOlder(session);
      before.delete(session.userId);
    }
    count += page.items.length;
    cursor = page.nextCursor;
    progress(cursor === null);
  } while (cursor !== null && count < MAX_KEPT);
  // What was known and is listed no longer has gone, unless it has changed meanwhile.
  if (cursor !== null) return;
  for (const userId of before) {
    const session = sessions.get(userId);
    if (session !== undefined && Date.parse(session.endTime) < startedMs) sessions.delete(userId);
  }
}

/** Idleness passes when an event comes, so the stream is not asked to look at it. */
function query(filters: LiveFilters, withIdle: boolean): string {
  const asked = new URLSearchParams();
  if (filters.hasCart) asked.set('hasCart', 'true');
  if (filters.hasConverted) asked.set('hasConversion', 'true');
  if (filters.minEvents > 0) asked.set('minEvents', String(filters.minEvents));
  if (filters.device !== '') asked.set('device', filters.device);
  if (withIdle && filters.minIdleSeconds > 0) asked.set('minIdle', `${filters.minIdleSeconds}s`);
  return asked.toString();
}
