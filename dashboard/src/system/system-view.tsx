/** How the system is: its parts, its partitions, what becomes of events, how to send them. */
import { get, getText } from '../api.ts';
import { token } from '../connection.ts';
import {
  formatCount,
  formatDuration,
  formatKnown,
  formatShare,
  formatType,
  NONE,
} from '../format.ts';
import { Figure } from '../parts/figure.tsx';
import { FirstEvent } from '../parts/first-event.tsx';
import { Loading, Refusal } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import { useResource } from '../resource.ts';
import { PartitionTable } from './partition-table.tsx';
import { type Sample, samplesOf, sumBy } from './prometheus.ts';
import { RateFigure } from './rate-figure.tsx';
import { type SystemNow, useSystem } from './use-system.ts';

const EVERY_MS = 5000;
const EVENTS = 'lull_events_processed_total';

export function SystemView() {
  useTitle('System');
  const system = useSystem();
  const samples = useResource(
    'What became of events',
    '/metrics',
    async (signal) => samplesOf(await getText('/metrics', signal)),
    EVERY_MS,
  );
  const { data } = system;
  if (data === null) {
    return (
      <>
        <header class="head">
          <h1>System</h1>
        </header>
        {system.error === null ? (
          <Loading rows={10} />
        ) : (
          <Refusal error={system.error} retry={system.reload} />
        )}
      </>
    );
  }
  return (
    <>
      <header class="head">
        <h1>System</h1>
        <p>
          A session closes {formatDuration(data.gapSeconds)} and{' '}
          {formatDuration(data.tierSeconds[0]!)} of grace after its last event; late ones may change
          it for {formatDuration(data.tierSeconds.at(-1)!)}.
        </p>
      </header>
      <SystemFigures system={data} />
      <div class="columns even">
        <Health />
        <Fates samples={samples.data ?? []} />
      </div>
      <PartitionTable system={data} />
      <div class="columns even">
        <SessionCounts counts={data.sessions} />
        <section class="panel">
          <h2>Send events</h2>
          <div class="panel-body">
            <FirstEvent />
            {/* With a token, a page that the browser itself asks for would be refused. */}
            {token() === null && (
              <p class="links">
                <a href="/docs">Every request</a> <a href="/openapi.json">OpenAPI</a>{' '}
                <a href="/metrics">Metrics</a>
              </p>
            )}
          </div>
        </section>
      </div>
    </>
  );
}

function SystemFigures({ system }: { system: SystemNow }) {
  const { partitions, rates } = system;
  const lags = partitions.map(({ lag }) => lag).filter((lag) => lag !== null);
  const inMemory = partitions.reduce((sum, one) => sum + (one.usersInMemory ?? 0), 0);
  return (
    <dl class="figures">
      <RateFigure rates={rates} />
      <Figure
        name="Lag"
        value={lags.length === 0 ? NONE : formatCount(lags.reduce((sum, lag) => sum + lag, 0))}
        note="events not yet processed"
      />
      <Figure
        name="Active sessions"
        value={formatKnown(system.activeSessions)}
        note="in the live cache"
      />
      <Figure name="Users in memory" value={formatCount(inMemory)} note="of all processors asked" />
    </dl>
  );
}

function Health() {
  const { data, error, reload } = useResource(
    'The health of the parts',
    '/health',
    (signal) => get('/health', '/health', signal),
    EVERY_MS,
  );
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Health</h2>
        {data !== null && (
          <span class={`tag ${data.status === 'ok' ? 'accent' : 'wrong'}`}>{data.status}</span>
        )}
      </div>
      {data === null ? (
        error === null ? (
          <Loading rows={4} />
        ) : (
          <Refusal error={error} retry={reload} />
        )
      ) : (
        <ul class="parts">
          {data.parts.map(({ name, status, reason }) => (
            <li key={name}>
              <span class={`dot ${status}`} aria-hidden="true" />
              <span>{name}</span>
              <span class={status === 'ok' ? 'soft' : 'wrong'}>
                {status === 'ok' ? 'ok' : `${status}: ${reason ?? 'no reason given'}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Of this process: where processors run elsewhere, it has counted no events. */
function Fates({ samples }: { samples: readonly Sample[] }) {
  const fates = sumBy(samples, EVENTS, 'fate');
  const refused = samples.filter(({ labels }) => ['late', 'rejected'].includes(labels['fate']!));
  const reasons = [
    ...sumBy(refused, EVENTS, 'reason'),
    ...sumBy(samples, 'lull_collector_events_rejected_total', 'code'),
  ];
  const total = fates.reduce((sum, [, count]) => sum + count, 0);
  return (
    <section class="panel">
      <h2>What became of events</h2>
      {total === 0 ? (
        <p class="panel-body soft">This process has counted none since it started.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Fate</th>
              <th scope="col">Events</th>
              <th scope="col">Share</th>
            </tr>
          </thead>
          <tbody>
            {fates.map(([fate, count]) => (
              <tr key={fate}>
                <td>{FATES[fate] ?? fate}</td>
                <td>{formatCount(count)}</td>
                <td>{formatShare(count / total)}</td>
              </tr>
            ))}
            {reasons.map(([reason, count]) => (
              <tr key={`reason ${reason}`}>
                <td>Refused: {reason === '' ? 'late' : formatType(reason)}</td>
                <td>{formatCount(count)}</td>
                <td />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

const FATES: Readonly<Record<string, string>> = {
  opened: 'Opened a session',
  extended: 'Extended a session',
  bridged: 'Bridged two sessions into one',
  amended: 'Amended a closed session',
  duplicate: 'Duplicate, counted only',
  late: 'Too late',
  rejected: 'Timed in the future',
};

function SessionCounts({ counts }: { counts: SystemNow['sessions'] }) {
  const entries = Object.entries(counts);
  return (
    <section class="panel">
      <h2>What became of sessions</h2>
      {entries.length === 0 ? (
        <p class="panel-body soft">The processors can't be asked from here.</p>
      ) : (
        <table>
          <tbody>
            {entries.map(([name, count]) => (
              <tr key={name}>
                <td>{COUNTS[name] ?? name}</td>
                <td>{formatCount(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

const COUNTS: Readonly<Record<string, string>> = {
  opened: 'Opened',
  merged: 'Absorbed by another',
  closed: 'Closed',
  amended: 'Amended after they closed',
  revived: 'Open again after they closed',
  settled: 'Settled: nothing changes them any more',
  capped: 'Cut by a bound',
};
