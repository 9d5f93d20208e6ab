/** The commonest values of something, as a table whose rows are also bars. */
import { formatCount, formatShare, formatType, NONE } from '../format.ts';
import type { Breakdown } from './explore-data.ts';

interface BarTableProps {
  title: string;
  breakdown: Breakdown;
  /** What stands for sessions that have none. */
  none: string;
}

export function BarTable({ title, breakdown, none }: BarTableProps) {
  const { items, total, unit } = breakdown;
  const top = Math.max(1, ...items.map(({ count }) => count));
  const rest = total - items.reduce((sum, { count }) => sum + count, 0);
  const isOfSessions = unit === 'sessions';
  return (
    <section class="panel">
      <h2>{title}</h2>
      {items.length === 0 ? (
        <p class="nothing">No session ended in this time.</p>
      ) : (
        <table class="bars">
          <thead>
            <tr>
              <th scope="col">{isOfSessions ? 'Value' : 'Type'}</th>
              <th scope="col">{isOfSessions ? 'Sessions' : 'Events'}</th>
              <th scope="col">Share</th>
              {isOfSessions && <th scope="col">Converted</th>}
            </tr>
          </thead>
          <tbody>
            {items.map(({ value, count, converted }) => (
              <tr key={value ?? 'none'}>
                <td>
                  <span class="bar" style={{ width: `${(count / top) * 100}%` }} />
                  <span class="value">
                    {value === null ? none : isOfSessions ? value : formatType(value)}
                  </span>
                </td>
                <td>{formatCount(count)}</td>
                <td>{formatShare(count / total)}</td>
                {isOfSessions && <td>{formatShare(converted / count)}</td>}
              </tr>
            ))}
            {rest > 0 && (
              <tr class="soft">
                <td>All others</td>
                <td>{formatCount(rest)}</td>
                <td>{formatShare(rest / total)}</td>
                {isOfSessions && <td>{NONE}</td>}
              </tr>
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}
