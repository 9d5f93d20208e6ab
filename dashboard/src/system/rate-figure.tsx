/** How many events come in a second, now and in the last two minutes. */
import { formatFigure, NONE } from '../format.ts';
import { Figure, Sparkline } from '../parts/figure.tsx';
import { RATE_SLOTS } from './use-system.ts';

/** Readings that the shown rate is the mean of: ten seconds. */
const RATE_READINGS = 5;

export function RateFigure({ rates }: { rates: readonly number[] }) {
  const newest = rates.slice(-RATE_READINGS);
  const rate = newest.reduce((sum, value) => sum + value, 0) / newest.length;
  return (
    <Figure
      name="Events a second"
      value={newest.length === 0 ? NONE : formatFigure(rate)}
      note="mean of 10 s"
    >
      <Sparkline values={rates} slots={RATE_SLOTS} />
    </Figure>
  );
}
