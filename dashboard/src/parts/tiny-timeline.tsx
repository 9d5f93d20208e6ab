/** A session's shape in the width of a word: its events against time, the lulls left blank. */
import type { Session } from '../api-types.ts';
import { markOf } from './mark.ts';

const WIDTH = 120;
const HEIGHT = 20;

export function TinyTimeline({ session }: { session: Session }) {
  const start = Date.parse(session.startTime);
  const span = Math.max(1000, Date.parse(session.endTime) - start);
  return (
    <svg class="tiny-timeline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <line x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      {session.trail.map(({ type, time }, index) => {
        const x = 2 + ((Date.parse(time) - start) / span) * (WIDTH - 4);
        const mark = markOf(type);
        const half = mark === 'view' ? 4 : mark === 'other' ? 2.5 : 7;
        return (
          <rect
            key={index}
            class={`mark-${mark}`}
            x={x - 1}
            y={HEIGHT / 2 - half}
            width="2"
            height={half * 2}
            rx="1"
          />
        );
      })}
    </svg>
  );
}
