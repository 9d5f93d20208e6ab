/** What became of events and of sessions: how many a second, and in all. */
import { useRef } from 'preact/hooks';
import { getText } from '../api.ts';
import { formatCount, formatFigure, formatType, NONE } from '../format.ts';
import { useResource } from '../resource.ts';
import { type Sample, samplesOf, sumBy } from './prometheus.ts';
import { type Counts, RecentCounts } from './rates.ts';
import type { SystemNow } from './use-system.ts';

const EVERY_MS = 5000;
const PROCESSED = 'lull_events_processed_total';
const REFUSED_ON_ARRIVAL = 'lull_collector_events_rejected_total';
const REFUSED_FATES = ['late', 'rejected'];

const EVENTS: Readonly<Record<string, string>> = {
  opened: 'Opened a session',
  extended: 'Extended a session',
  bridged: 'Bridged two sessions into one',
  amended: 'Amended a closed session',
  duplicate: 'Duplicate, counted only',
  too_late: 'Too late',
  timestamp_in_future: 'Timed in the future',
};

const SESSIONS: Readonly<Record<string, string>> = {
  opened: 'Opened',
  merged: 'Absorbed by another',
  closed: 'Closed',
  amended: 'Amended after they closed',
  revived: 'Open again after they closed',
  settled: 'Settled: nothing changes them any more',
  capped: 'Cut by a bound',
};

interface Outcome {
  readonly name: string;
  readonly count: number;
  readonly perSecond: number | undefined;
}

/** Of this process: processors that run elsewhere tell what they counted in their own metrics. */
export function EventOutcomes() {
  const recent = useRef(new RecentCounts()).current;
  const { data } = useResource(
    'What became of events',
    '/metrics',
    async (signal) => {
      const counts = countsOf(samplesOf(await getText('/metrics', signal)));
      return { counts, rates: recent.perSecond(counts, 'this process') };
    },
    EVERY_MS,
  );
  const { counts, rates } = data ?? { counts: {}, rates: null };
  const outcomes = outcomesOf(counts, rates, (key) => EVENTS[key] ?? refused(key));
  outcomes.sort((left, right) => right.count - left.count);
  const none = 'This process has counted none since it started.';
  return <Outcomes title="What became of events" outcomes={outcomes} none={none} />;
}

export function SessionOutcomes({ system }: { system: SystemNow }) {
  const { sessions, sessionRates } = system;
  const outcomes = outcomesOf(sessions, sessionRates, (key) => SESSIONS[key] ?? key);
  const none = "The processors can't be asked from here.";
  return <Outcomes title="What became of sessions" outcomes={outcomes} none={none} />;
}

/** By fate or, where they were refused, by the reason. */
function countsOf(samples: readonly Sample[]): Counts {
  const isRefused = ({ labels }: Sample) => REFUSED_FATES.includes(labels['fate'] ?? '');
  return Object.fromEntries([
    ...sumBy(
      samples.filter((sample) => !isRefused(sample)),
      PROCESSED,
      'fate',
    ),
    ...sumBy(samples.filter(isRefused), PROCESSED, 'reason'),
    ...sumBy(samples, REFUSED_ON_ARRIVAL, 'code').map(([code, n]) => [`${code}_on_arrival`, n]),
  ]);
}

function refused(code: string): string {
  return `Refused: ${formatType(code.toUpperCase())}`;
}

function outcomesOf(
  counts: Counts,
  rates: Counts | null,
  nameOf: (key: string) => string,
): Outcome[] {
  return Object.entries(counts).map(([key, count]) => {
    return { name: nameOf(key), count, perSecond: rates?.[key] };
  });
}

interface OutcomesProps {
  title: string;
  outcomes: readonly Outcome[];
  /** Said where there are none. */
  none: string;
}

function Outcomes({ title, outcomes, none }: OutcomesProps) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      {outcomes.length === 0 ? (
        <p class="panel-body soft">{none}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Outcome</th>
              <th scope="col">A second</th>
              <th scope="col">In all</th>
            </tr>
          </thead>
          <tbody>
            {outcomes.map(({ name, count, perSecond }) => (
              <tr key={name}>
                <td>{name}</td>
                <td>{perSecond === undefined ? NONE : formatFigure(perSecond)}</td>
                <td>{formatCount(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
