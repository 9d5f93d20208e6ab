/** A session's shape in the width of a word: its events against time, the lulls left blank. */
import type { Session } from '../api-types.ts';
import { markOf } from './mark.ts';

const WIDTH = 120;
const HEIGHT = 20;

interface TinyTimelineProps {
  session: Session;
  /** What the width stands for; without it, the session from its first event to its last. */
  span?: { readonly fromMs: number; readonly toMs: number };
}

export function TinyTimeline({ session, span }: TinyTimelineProps) {
  const fromMs = span?.fromMs ?? Date.parse(session.startTime);
  const lastsMs = Math.max(1000, (span?.toMs ?? Date.parse(session.endTime)) - fromMs);
  return (
    <svg
      class="tiny-timeline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      {session.trail.map(({ type, time }, index) => {
        const x = 2 + ((Date.parse(time) - fromMs) / lastsMs) * (WIDTH - 4);
        if (x < 1) return null;
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
