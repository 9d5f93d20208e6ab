/** The four numbers of the live view. */
import { formatCount, formatKnown, formatShare, NONE } from '../format.ts';
import { Figure } from '../parts/figure.tsx';
import { RateFigure } from '../system/rate-figure.tsx';
import type { SystemNow } from '../system/use-system.ts';
import { idleSeconds } from './live-sessions.ts';
import type { LiveList } from './use-live-sessions.ts';

interface LiveFiguresProps {
  system: SystemNow | null;
  list: LiveList;
  nowMs: number;
}

export function LiveFigures({ system, list, nowMs }: LiveFiguresProps) {
  const all = list.sessions.all();
  const gapSeconds = system?.gapSeconds ?? Infinity;
  const closing = all.filter((session) => idleSeconds(session, nowMs) > gapSeconds).length;
  const converted = all.filter(({ hasConversion }) => hasConversion).length;
  const of = list.isWhole ? '' : ` of the ${formatCount(all.length)} shown`;
  const isKnown = !list.isLoading;
  return (
    <dl class="figures">
      <RateFigure rates={system?.rates ?? []} />
      <Figure
        name="Active sessions"
        value={formatKnown(system?.activeSessions)}
        note="users with a live session"
      />
      <Figure
        name="Closing"
        value={isKnown ? formatCount(closing) + of : NONE}
        note="past the gap, in grace"
      />
      <Figure
        name="Converted"
        value={isKnown ? formatShare(all.length === 0 ? 0 : converted / all.length) : NONE}
        note={isKnown ? `${formatCount(converted)} of ${formatCount(all.length)} bought` : NONE}
      />
    </dl>
  );
}
