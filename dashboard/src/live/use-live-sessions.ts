/** Live sessions as they change: listed once, then followed; listed again after an interruption. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get } from '../api.ts';
import type { Session } from '../api-types.ts';
import { tokenNeed } from '../connection.ts';
import { openEventStream } from '../event-stream.ts';
import { tellStale, useStale } from '../stale.ts';
import { type LiveFilters, LiveSessions, MAX_KEPT } from './live-sessions.ts';
import { Repeated } from './repeated.ts';

const WHAT = 'The list of live sessions';
const FIRST_PAGE = 100;
const PAGE = 1000;
/** How often what has changed is drawn. */
const DRAW_MS = 500;
/** Between two listings: where much happens, each change that is left out asks for another. */
const LIST_PAUSE_MS = 3000;

export interface LiveList extends Listed {
  readonly sessions: LiveSessions;
}

interface Listed {
  /** Nothing has been listed yet. */
  readonly isLoading: boolean;
  /** All that there are are known. */
  readonly isWhole: boolean;
  /** Why it could not be listed the last time. */
  readonly error: ApiError | null;
  /** When it last could, epoch milliseconds. */
  readonly asOfMs: number | null;
}

const NOTHING: Listed = { isLoading: true, isWhole: false, error: null, asOfMs: null };

/** While the cache of the live sessions is away, no change of them is told. */
export function useLiveSessions(filters: LiveFilters, isCacheAway: boolean): LiveList {
  const sessions = useRef(new LiveSessions()).current;
  const [state, setState] = useState(NOTHING);
  const [, draw] = useState(0);
  const listAgain = useRef(() => {});
  const list = `/api/sessions/active?${query(filters, true)}`;
  const stream = `/api/stream/sessions?state=active&${query(filters, false)}`;

  useEffect(() => {
    sessions.clear();
    setState(NOTHING);
    let hasListed = false;
    const listing = new Repeated(async (signal) => {
      try {
        const isWhole = await listAll(list, sessions, signal, () =>
          setState((last) => ({ ...last, isLoading: false })),
        );
        hasListed = true;
        setState({ isLoading: false, isWhole, error: null, asOfMs: Date.now() });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        setState((last) => ({ ...last, error }));
        if (error.isPassing) listing.want();
      }
    }, LIST_PAUSE_MS);
    listAgain.current = () => listing.want();
    const close = openEventStream(WHAT, stream, {
      opened: () => listing.want(),
      // A list that does not change is better than none.
      refused: () => hasListed || listing.want(),
      told: ({ event, data }) => {
        if (event === 'session') sessions.set(JSON.parse(data) as Session);
        else if (event === 'gone') sessions.delete((JSON.parse(data) as Session).userId);
        else if (event === 'skipped') listing.want();
      },
    });
    const stopWaiting = tokenNeed.subscribe(() => {
      if (tokenNeed.get() === 'none') listing.want();
    });
    return () => {
      close();
      listing.end();
      stopWaiting();
    };
  }, [list, stream, sessions]);

  const isOld = isCacheAway && !state.isLoading;
  useEffect(() => {
    if (!isOld) return;
    const why = 'the live cache is away';
    const tellCurrent = tellStale({ what: WHAT, asOfMs: Date.now(), why });
    return () => {
      tellCurrent();
      listAgain.current();
    };
  }, [isOld]);
  useStale(WHAT, state.asOfMs, state.error);

  useEffect(() => {
    const timer = setInterval(() => document.hidden || draw((turn) => turn + 1), DRAW_MS);
    return () => clearInterval(timer);
  }, []);
  return { sessions, ...state };
}

/**
 * The newest first, so that there is something to see at once, which `begun` is told; then the
 * rest, page by page. Resolves with whether these were all.
 */
async function listAll(
  url: string,
  sessions: LiveSessions,
  signal: AbortSignal,
  begun: () => void,
): Promise<boolean> {
  sessions.beginList();
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
    for (const session of page.items) sessions.setOlder(session);
    count += page.items.length;
    cursor = page.nextCursor;
    begun();
  } while (cursor !== null && count < MAX_KEPT);
  sessions.endList(cursor === null);
  return cursor === null;
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
