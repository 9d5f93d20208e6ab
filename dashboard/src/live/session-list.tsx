/** Live sessions as rows, of which only those that can be seen are on the page. */
import type { Session } from '../api-types.ts';
import { formatClock, formatCount, formatDuration, formatMoney, formatTime } from '../format.ts';
import { TinyTimeline } from '../parts/tiny-timeline.tsx';
import { sessionPath } from '../route.ts';
import { idleSeconds } from './live-sessions.ts';
import type { StillList } from './use-still-list.ts';
import { useVisibleRows } from './use-visible-rows.ts';

const COLUMNS = [
  ['user', 'User'],
  ['on', 'Latest page'],
  ['started', 'Started'],
  ['idle', 'Idle'],
  ['events', 'Events'],
  ['pages', 'Pages'],
  ['cart', 'Cart'],
] as const;

/** What the timelines show where the gap is not known yet. */
const DEFAULT_SPAN_SECONDS = 1800;

interface SessionListProps {
  still: StillList;
  nowMs: number;
  gapSeconds: number | null;
}

export function SessionList({ still, nowMs, gapSeconds }: SessionListProps) {
  const { rows, hold } = still;
  const { ref, first, last, rowHeight } = useVisibleRows(rows.length);
  const span = { fromMs: nowMs - (gapSeconds ?? DEFAULT_SPAN_SECONDS) * 1000, toMs: nowMs };
  return (
    <div
      class="session-list"
      role="table"
      aria-label="Live sessions"
      aria-rowcount={rows.length + 1}
      {...hold}
    >
      <div class="session-row header" role="row" aria-rowindex={1}>
        {COLUMNS.map(([key, name]) => (
          <span key={key} role="columnheader" class={key}>
            {name}
          </span>
        ))}
        <span role="columnheader" class="shape">
          Last {formatDuration((span.toMs - span.fromMs) / 1000)}
        </span>
      </div>
      <div ref={ref} role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, last).map(({ session, hasGone }, index) => (
          <SessionRow
            key={session.sessionId}
            session={session}
            hasGone={hasGone}
            rowIndex={first + index + 2}
            top={(first + index) * rowHeight}
            span={span}
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
  span: { readonly fromMs: number; readonly toMs: number };
  idle: number;
  isClosing: boolean;
}

function SessionRow({ session, hasGone, rowIndex, top, span, idle, isClosing }: SessionRowProps) {
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
      <span role="cell" class="on">
        {session.exitPage}
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
        <TinyTimeline session={session} span={span} />
      </span>
    </div>
  );
}
