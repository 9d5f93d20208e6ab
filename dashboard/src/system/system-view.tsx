/** How the system is: its parts, its partitions, what becomes of events, how to send them. */
import { get } from '../api.ts';
import { token } from '../connection.ts';
import { formatCount, formatDuration, formatKnown, NONE } from '../format.ts';
import { Figure } from '../parts/figure.tsx';
import { FirstEvent } from '../parts/first-event.tsx';
import { Loading, Refusal } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import { useResource } from '../resource.ts';
import { EventOutcomes, SessionOutcomes } from './outcomes.tsx';
import { PartitionTable } from './partition-table.tsx';
import { RateFigure } from './rate-figure.tsx';
import { type SystemNow, useSystem } from './use-system.ts';

const EVERY_MS = 5000;

export function SystemView() {
  useTitle('System');
  const system = useSystem();
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
        <EventOutcomes />
      </div>
      <PartitionTable system={data} />
      <div class="columns even">
        <SessionOutcomes system={data} />
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
