/** What happened in a session against time, to scale, with its lulls. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '../api-types.ts';
import { formatCount, formatDuration, formatOffset, formatType } from '../format.ts';
import { markOf } from '../parts/mark.ts';
import { pausesOf, ticksOf } from './segments.ts';

const HEIGHT = 112;
const LINE_Y = 56;
const PAD = 10;
const LABEL_PX = 34;
const HALF_HEIGHTS = { purchase: 30, cart: 22, search: 16, view: 11, other: 6 };

interface TimelineProps {
  session: Session;
  /** Where a session that goes on ends at present; else its own end counts. */
  nowMs: number | null;
  pointed: number | null;
  point: (index: number | null) => void;
}

export function Timeline({ session, nowMs, pointed, point }: TimelineProps) {
  const { ref, width } = useWidth();
  const startMs = Date.parse(session.startTime);
  const endMs = Date.parse(session.endTime);
  const lastMs = Math.max(endMs, nowMs ?? endMs);
  const spanMs = Math.max(1000, lastMs - startMs);
  const x = (timeMs: number) => PAD + ((timeMs - startMs) / spanMs) * (width - 2 * PAD);
  const pauses = pausesOf(session);
  const ticks = ticksOf(spanMs / 1000, Math.max(3, width / 90));
  const lulls = pauses.filter(({ kind }) => kind === 'lull').length;
  return (
    <div ref={ref} class="timeline">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`${formatCount(session.eventCount)} events in ${formatDuration(session.durationSeconds)}, with ${lulls} lulls of a minute or more; the list below has them all`}
      >
        {ticks.map((offset) => (
          <g key={offset} class="tick">
            <line x1={x(startMs + offset * 1000)} x2={x(startMs + offset * 1000)} y1="8" y2="92" />
            <text x={Math.min(x(startMs + offset * 1000) + 4, width - PAD - LABEL_PX)} y="106">
              {formatOffset(offset)}
            </text>
          </g>
        ))}
        {pauses.map(({ kind, after, fromMs, toMs, events }) => (
          <Span
            key={after}
            kind={kind}
            from={x(fromMs)}
            to={x(toMs)}
            name={kind === 'lull' ? formatDuration((toMs - fromMs) / 1000) : `${events} more`}
          />
        ))}
        {lastMs > endMs && (
          <Span
            kind="idle"
            from={x(endMs)}
            to={x(lastMs)}
            name={`idle ${formatDuration(Math.floor((lastMs - endMs) / 1000))}`}
          />
        )}
        <line class="base" x1={x(startMs)} x2={x(endMs)} y1={LINE_Y} y2={LINE_Y} />
        {session.trail.map(({ type, page, time }, index) => {
          const mark = markOf(type);
          const half = HALF_HEIGHTS[mark];
          return (
            <g
              key={`${time} ${index}`}
              class={`event mark-${mark}${pointed === index ? ' pointed' : ''}`}
              onPointerEnter={() => point(index)}
              onPointerLeave={() => point(null)}
            >
              <title>{`${formatType(type)} ${page ?? ''}`}</title>
              <rect class="reach" x={x(Date.parse(time)) - 6} y="8" width="12" height="84" />
              <rect
                x={x(Date.parse(time)) - 1.5}
                y={LINE_Y - half}
                width="3"
                height={half * 2}
                rx="1.5"
              />
              {mark === 'purchase' && <circle cx={x(Date.parse(time))} cy={LINE_Y - half} r="5" />}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

interface SpanProps {
  kind: 'lull' | 'hidden' | 'idle';
  from: number;
  to: number;
  name: string;
}

function Span({ kind, from, to, name }: SpanProps) {
  const fits = to - from > name.length * 6.5 + 12;
  return (
    <g class={`span ${kind}`}>
      <title>{name}</title>
      <rect x={from} y="20" width={Math.max(0, to - from)} height="72" />
      {fits && (
        <text x={(from + to) / 2} y="34" text-anchor="middle">
          {name}
        </text>
      )}
    </g>
  );
}

function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.max(200, ref.current!.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}
