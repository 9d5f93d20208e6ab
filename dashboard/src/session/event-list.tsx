/** The events of a session's trail, one under the other, with the lulls between them. */
import type { Session } from '../api-types.ts';
import { formatClock, formatCount, formatDuration, formatOffset, formatType } from '../format.ts';
import { markOf } from '../parts/mark.ts';
import { type Pause, pausesOf } from './segments.ts';

interface EventListProps {
  session: Session;
  pointed: number | null;
  point: (index: number | null) => void;
}

export function EventList({ session, pointed, point }: EventListProps) {
  const startMs = Date.parse(session.startTime);
  const pauses = new Map(pausesOf(session).map((pause) => [pause.after, pause]));
  return (
    <ol class="event-list">
      {session.trail.flatMap(({ type, page, time }, index) => {
        const pause = pauses.get(index);
        const item = (
          <li
            key={index}
            class={pointed === index ? 'pointed' : ''}
            onPointerEnter={() => point(index)}
            onPointerLeave={() => point(null)}
          >
            <span class="offset">{formatOffset((Date.parse(time) - startMs) / 1000)}</span>
            <svg viewBox="0 0 10 20" width="10" height="20" aria-hidden="true">
              <rect class={`mark-${markOf(type)}`} x="3.5" y="2" width="3" height="16" rx="1.5" />
            </svg>
            <span class="type">{formatType(type)}</span>
            <span class="page">{page}</span>
            <time dateTime={time}>{formatClock(time)}</time>
          </li>
        );
        return pause === undefined ? [item] : [item, <PauseItem key={`p${index}`} pause={pause} />];
      })}
    </ol>
  );
}

function PauseItem({ pause }: { pause: Pause }) {
  const lasted = formatDuration((pause.toMs - pause.fromMs) / 1000);
  return (
    <li class="pause">
      {pause.kind === 'lull'
        ? `${lasted} lull`
        : `${formatCount(pause.events)} more events in ${lasted}; the first and last are kept`}
    </li>
  );
}
