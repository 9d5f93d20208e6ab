/** One session: what happened when, what is known of it, and what came before and after. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Session } from '../api-types.ts';
import {
  formatClock,
  formatCount,
  formatDuration,
  formatMoment,
  formatMoney,
  formatTime,
} from '../format.ts';
import { Figure } from '../parts/figure.tsx';
import { Empty, Loading, Refusal } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import { useNow } from '../parts/use-now.ts';
import { useResource } from '../resource.ts';
import { renameTo, sessionPath, userPath } from '../route.ts';
import { EventList } from './event-list.tsx';
import { Facts } from './facts.tsx';
import { loadNeighbours } from './neighbours.ts';
import { Timeline } from './timeline.tsx';
import { useSession } from './use-session.ts';

/** The id that was asked for, of a session that is now part of the one whose page it leads to. */
let absorbedId: { readonly id: string; readonly into: string } | null = null;

export function SessionView({ sessionId }: { sessionId: string }) {
  const absorbed = useCallback(
    (into: string) => {
      absorbedId = { id: sessionId, into };
      renameTo(sessionPath(into));
    },
    [sessionId],
  );
  const { data, error, reload } = useSession(sessionId, absorbed);
  useTitle(data === null ? 'Session' : `Session of ${data.userId}`);
  useEffect(() => {
    if (data !== null && data.sessionId !== sessionId) absorbed(data.sessionId);
  }, [data, sessionId, absorbed]);
  if (data !== null) return <SessionPage session={data} />;
  if (error === null || error.status !== 404) {
    return (
      <>
        <header class="head">
          <h1>Session</h1>
        </header>
        {error === null ? <Loading rows={12} /> : <Refusal error={error} retry={reload} />}
      </>
    );
  }
  return (
    <Empty title="This session is not known" isWhole>
      <p>
        No session has the id <code>{sessionId}</code>. It may be older than what is kept, or it was
        mistyped.
      </p>
    </Empty>
  );
}

function SessionPage({ session }: { session: Session }) {
  const [pointed, point] = useState<number | null>(null);
  const isActive = session.state === 'active';
  const nowMs = useNow(isActive);
  const was = absorbedId?.into === session.sessionId ? absorbedId.id : null;
  return (
    <article class="session">
      <header class="head">
        <h1>
          Session of <a href={userPath(session.userId)}>{session.userId}</a>
        </h1>
        <State session={session} />
        <p>
          <time dateTime={session.startTime}>{formatTime(session.startTime)}</time>
          {' to '}
          <time dateTime={session.endTime}>{formatClock(session.endTime)}</time>
        </p>
      </header>
      {was !== null && (
        <p class="aside">
          The session <code>{was}</code> became part of this one, and its address leads here.
        </p>
      )}
      <SessionFigures session={session} nowMs={nowMs} />
      <section class="panel" aria-label="Timeline">
        <Timeline
          session={session}
          nowMs={isActive ? nowMs : null}
          pointed={pointed}
          point={point}
        />
      </section>
      <div class="columns">
        <section class="panel">
          <h2>Events</h2>
          <EventList session={session} pointed={pointed} point={point} />
        </section>
        <section class="panel">
          <h2>Details</h2>
          <Facts session={session} />
        </section>
      </div>
      <Beside session={session} />
    </article>
  );
}

function State({ session: { state, revision } }: { session: Session }) {
  if (state === 'active') return <span class="tag accent live">Live</span>;
  if (state === 'amended')
    return <span class="tag">Closed, then amended (revision {revision})</span>;
  return <span class="tag">Closed</span>;
}

function SessionFigures({ session, nowMs }: { session: Session; nowMs: number }) {
  const idle = Math.max(0, Math.floor((nowMs - Date.parse(session.endTime)) / 1000));
  return (
    <dl class="figures">
      <Figure name="Duration" value={formatDuration(session.durationSeconds)} />
      <Figure name="Events" value={formatCount(session.eventCount)} />
      <Figure
        name="Pages"
        value={`${formatCount(session.distinctPages)}${session.distinctPagesTruncated ? '+' : ''}`}
      />
      <Figure name="Cart" value={formatMoney(session.cartValue)} />
      <Figure name="Revenue" value={formatMoney(session.revenue)} />
      {session.state === 'active' && <Figure name="Idle" value={formatDuration(idle)} />}
    </dl>
  );
}

/** The user's sessions on either side. */
function Beside({ session }: { session: Session }) {
  const { sessionId, revision, state } = session;
  const { data, error } = useResource(
    'What is beside this session',
    `beside ${sessionId} ${state} ${revision}`,
    (signal) => loadNeighbours(session, signal),
  );
  if (data === null) {
    return error && <p class="aside">The sessions beside it are not known: {error.message}.</p>;
  }
  const { before, after } = data;
  return (
    <nav class="beside" aria-label="Sessions before and after">
      {before === null ? (
        <p>No earlier session of this user is kept.</p>
      ) : (
        <a href={sessionPath(before.sessionId)}>
          <span>← Before</span>
          {formatMoment(before.startTime)}, {formatCount(before.eventCount)} events
        </a>
      )}
      {after === null ? (
        <p>There is no later session.</p>
      ) : (
        <a href={sessionPath(after.sessionId)}>
          <span>After →</span>
          {formatMoment(after.startTime)}, {formatCount(after.eventCount)} events
        </a>
      )}
    </nav>
  );
}
