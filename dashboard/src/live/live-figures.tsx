/** The four numbers of the live view. */
import { formatCount, formatFigure, formatShare, NONE } from '../format.ts';
import { Figure, Sparkline } from '../parts/figure.tsx';
import { RATE_SLOTS, type SystemNow } from '../system/use-system.ts';
import { idleSeconds } from './live-sessions.ts';
import type { LiveList } from './use-live-sessions.ts';

/** Readings that the shown rate is the mean of: ten seconds. */
const RATE_READINGS = 5;

interface LiveFiguresProps {
  system: SystemNow | null;
  list: LiveList;
  nowMs: number;
}

export function LiveFigures({ system, list, nowMs }: LiveFiguresProps) {
  const all = list.sessions.all();
  const newest = system?.rates.slice(-RATE_READINGS) ?? [];
  const rate = newest.reduce((sum, value) => sum + value, 0) / newest.length;
  const gapSeconds = system?.gapSeconds ?? Infinity;
  const closing = all.filter((session) => idleSeconds(session, nowMs) > gapSeconds).length;
  const converted = all.filter(({ hasConversion }) => hasConversion).length;
  const of = list.isWhole ? '' : ` of the ${formatCount(all.length)} shown`;
  const isKnown = !list.isLoading;
  return (
    <dl class="figures">
      <Figure
        name="Events a second"
        value={newest.length === 0 ? NONE : formatFigure(rate)}
        note="mean of 10 s"
      >
        <Sparkline values={system?.rates ?? []} slots={RATE_SLOTS} />
      </Figure>
      <Figure
        name="Active sessions"
        value={system === null ? NONE : formatCount(system.activeSessions)}
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
