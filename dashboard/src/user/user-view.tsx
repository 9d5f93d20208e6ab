/** One user: the session that goes on, the ones before, and their sums. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, get } from '../api.ts';
import type { Answers, Session } from '../api-types.ts';
import { openEventStream } from '../event-stream.ts';
import {
  formatCount,
  formatDuration,
  formatFigure,
  formatMoment,
  formatMoney,
  formatShare,
  NONE,
} from '../format.ts';
import { Figure } from '../parts/figure.tsx';
import { Empty, Loading, Refusal } from '../parts/states.tsx';
import { TinyTimeline } from '../parts/tiny-timeline.tsx';
import { useTitle } from '../parts/title.ts';
import { useNow } from '../parts/use-now.ts';
import { useResource } from '../resource.ts';
import { sessionPath } from '../route.ts';

const WHAT = 'This user';
const PAGE = 50;

interface UserData {
  readonly totals: Answers['/api/users/{userId}'];
  readonly active: Session | null;
  readonly past: Answers['/api/sessions/history/{userId}'];
}

export function UserView({ userId }: { userId: string }) {
  useTitle(userId);
  const user = encodeURIComponent(userId);
  const { data, error, reload } = useResource(WHAT, user, (signal) => loadUser(user, signal));
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const close = openEventStream(WHAT, `/api/sessions/active/${user}/stream`, {
      opened: () => {},
      // Whatever has changed, the sums and the lists change with it; once a second will do.
      told: () => {
        timer ??= setTimeout(() => {
          timer = undefined;
          reload();
        }, 1000);
      },
    });
    return () => {
      close();
      clearTimeout(timer);
    };
  }, [user, reload]);

  if (data === null) {
    return (
      <>
        <header class="head">
          <h1>{userId}</h1>
        </header>
        {error === null ? <Loading rows={10} /> : <Refusal error={error} retry={reload} />}
      </>
    );
  }
  const isKnown = data.active !== null || data.totals.sessions > 0;
  return (
    <>
      <header class="head">
        <h1>{userId}</h1>
        {data.active !== null && <span class="tag accent live">Live</span>}
      </header>
      {isKnown ? (
        <>
          <Totals totals={data.totals} />
          <ActiveSession session={data.active} />
          <Past user={user} first={data.past} />
        </>
      ) : (
        <Empty title="Nothing is known of this user">
          <p>No event of this user has come, or what came is older than what is kept.</p>
        </Empty>
      )}
    </>
  );
}

async function loadUser(user: string, signal: AbortSignal): Promise<UserData> {
  const [totals, active, past] = await Promise.all([
    get('/api/users/{userId}', `/api/users/${user}`, signal),
    get('/api/sessions/active/{userId}', `/api/sessions/active/${user}`, signal).catch(
      (error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      },
    ),
    pastPage(user, null, signal),
  ]);
  return { totals, active, past };
}

function pastPage(user: string, cursor: string | null, signal?: AbortSignal) {
  const from = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const url = `/api/sessions/history/${user}?limit=${PAGE}${from}`;
  return get('/api/sessions/history/{userId}', url, signal);
}

function Totals({ totals }: { totals: UserData['totals'] }) {
  const { sessions, events, durationSeconds, conversions, firstStart } = totals;
  const mean = (sum: number) => (sessions === 0 ? 0 : sum / sessions);
  return (
    <dl class="figures">
      <Figure
        name="Closed sessions"
        value={formatCount(sessions)}
        note={firstStart && `since ${formatMoment(firstStart)}`}
      />
      <Figure
        name="Events"
        value={formatCount(events)}
        note={`${formatFigure(mean(events))} a session`}
      />
      <Figure
        name="Time spent"
        value={formatDuration(durationSeconds)}
        note={`${formatDuration(mean(durationSeconds))} a session`}
      />
      <Figure
        name="Converted"
        value={formatShare(mean(conversions))}
        note={`${formatCount(conversions)} of ${formatCount(sessions)} bought`}
      />
      <Figure name="Revenue" value={formatMoney(totals.revenue)} />
    </dl>
  );
}

function ActiveSession({ session }: { session: Session | null }) {
  const nowMs = useNow(session !== null);
  if (session === null) return <p class="aside">No session of this user is live.</p>;
  const idle = Math.max(0, Math.floor((nowMs - Date.parse(session.endTime)) / 1000));
  return (
    <section class="panel now">
      <h2>
        <a href={sessionPath(session.sessionId)}>The live session</a>
      </h2>
      <p>
        Began {formatMoment(session.startTime)}, {formatCount(session.eventCount)} events, last on{' '}
        {session.exitPage ?? NONE}, idle {formatDuration(idle)}
      </p>
      <TinyTimeline session={session} />
    </section>
  );
}

function Past({ user, first }: { user: string; first: UserData['past'] }) {
  const [more, setMore] = useState<readonly UserData['past'][]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const last = more.at(-1) ?? first;
  const items = [first, ...more].flatMap((page) => page.items);
  const showMore = useCallback(async () => {
    try {
      const page = await pastPage(user, last.nextCursor);
      setMore((pages) => [...pages, page]);
      setProblem(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, [user, last]);
  // Pages beyond the first were of a list that has changed since.
  const newest = `${first.nextCursor} ${first.items[0]?.sessionId}`;
  useEffect(() => setMore([]), [newest]);
  return (
    <section class="panel">
      <h2>History</h2>
      {items.length === 0 ? (
        <Empty title="No session has closed yet" />
      ) : (
        <table class="past">
          <thead>
            <tr>
              <th scope="col">Began</th>
              <th scope="col">Duration</th>
              <th scope="col">Events</th>
              <th scope="col" class="wide">
                Pages
              </th>
              <th scope="col">Revenue</th>
              <th scope="col" class="wide left">
                Channel
              </th>
              <th scope="col" class="wide left">
                Device
              </th>
              <th scope="col" class="wide left">
                Timeline
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((session) => (
              <PastRow key={session.sessionId} session={session} />
            ))}
          </tbody>
        </table>
      )}
      {last.nextCursor !== null && (
        <div class="panel-body more">
          <button type="button" onClick={showMore}>
            Show older sessions
          </button>
          {problem !== null && <span role="alert">{problem}</span>}
        </div>
      )}
    </section>
  );
}

function PastRow({ session }: { session: Session }) {
  return (
    <tr>
      <td>
        <a href={sessionPath(session.sessionId)}>{formatMoment(session.startTime)}</a>
      </td>
      <td>{formatDuration(session.durationSeconds)}</td>
      <td>{formatCount(session.eventCount)}</td>
      <td class="wide">{formatCount(session.distinctPages)}</td>
      <td>{formatMoney(session.revenue)}</td>
      <td class="wide left">{session.channel}</td>
      <td class="wide left">{session.device ?? NONE}</td>
      <td class="wide left">
        <TinyTimeline session={session} />
      </td>
    </tr>
  );
}
