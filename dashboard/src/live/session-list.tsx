/** Live sessions as rows, of which only those that can be seen are on the page. */
import type { Session } from '../api-types.ts';
import { formatClock, formatCount, formatDuration, formatMoney, formatTime } from '../format.ts';
import { TinyTimeline } from '../parts/tiny-timeline.tsx';
import { sessionPath } from '../route.ts';
import { idleSeconds } from './live-sessions.ts';
import type { StillList } from './use-still-list.ts';
import { useVisibleRows } from './use-visible-rows.ts';

const COLUMNS = ['User', 'Started', 'Idle', 'Events', 'Pages', 'Cart', 'Timeline'];

interface SessionListProps {
  still: StillList;
  nowMs: number;
  gapSeconds: number | null;
}

export function SessionList({ still, nowMs, gapSeconds }: SessionListProps) {
  const { rows, hold } = still;
  const { ref, first, last, rowHeight } = useVisibleRows(rows.length);
  return (
    <div
      class="session-list"
      role="table"
      aria-label="Live sessions"
      aria-rowcount={rows.length + 1}
      {...hold}
    >
      <div class="session-row header" role="row" aria-rowindex={1}>
        {COLUMNS.map((name) => (
          <span key={name} role="columnheader">
            {name}
          </span>
        ))}
      </div>
      <div ref={ref} role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, last).map(({ session, hasGone }, index) => (
          <SessionRow
            key={session.sessionId}
            session={session}
            hasGone={hasGone}
            rowIndex={first + index + 2}
            top={(first + index) * rowHeight}
            idle={idleSeconds(session, nowMs)}
            isClosing={gapSeconds !== null && idleSeconds(session, nowMs) > gapSeconds}
          />
        ))}
      </div>
    </div>
  );
}

interface SessionRowProps {
  session: Session;
  hasGone: boolean;
  rowIndex: number;
  top: number;
  idle: number;
  isClosing: boolean;
}

function SessionRow({ session, hasGone, rowIndex, top, idle, isClosing }: SessionRowProps) {
  const { userId, startTime, eventCount, distinctPages, cartValue, addToCarts } = session;
  return (
    <div
      class={`session-row${hasGone ? ' gone' : ''}`}
      role="row"
      aria-rowindex={rowIndex}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="cell" class="user">
        <a href={sessionPath(session.sessionId)}>{userId}</a>
        {session.hasConversion && <span class="tag accent">Bought</span>}
        {hasGone && <span class="tag">Closed</span>}
        {isClosing && !hasGone && <span class="tag">Closing</span>}
      </span>
      <span role="cell" class="started" title={formatTime(startTime)}>
        {formatClock(startTime)}
      </span>
      <span role="cell" class="idle">
        {formatDuration(Math.floor(idle))}
      </span>
      <span role="cell" class="events">
        {formatCount(eventCount)}
        <span class="unit"> {eventCount === 1 ? 'event' : 'events'}</span>
      </span>
      <span role="cell" class="pages">
        {formatCount(distinctPages)}
        {session.distinctPagesTruncated && '+'}
        <span class="unit"> {distinctPages === 1 ? 'page' : 'pages'}</span>
      </span>
      <span role="cell" class="cart">
        {addToCarts === 0 ? '' : formatMoney(cartValue)}
      </span>
      <span role="cell" class="shape">
        <TinyTimeline session={session} />
      </span>
    </div>
  );
}
