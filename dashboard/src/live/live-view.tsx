/** What happens now: the rate of events, and every live session, kept still while it is read. */
import { useEffect, useState } from 'preact/hooks';
import { FirstEvent } from '../parts/first-event.tsx';
import { Empty, Loading, Refusal } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import { useSystem } from '../system/use-system.ts';
import { FilterBar } from './filter-bar.tsx';
import { LiveFigures } from './live-figures.tsx';
import { type LiveFilters, type LiveOrder, MAX_KEPT, NO_FILTERS } from './live-sessions.ts';
import { SessionList } from './session-list.tsx';
import { useLiveSessions } from './use-live-sessions.ts';
import { useStillList } from './use-still-list.ts';

export function LiveView() {
  useTitle('Live');
  const system = useSystem();
  const [filters, setFilters] = useState<LiveFilters>(NO_FILTERS);
  const [order, setOrder] = useState<LiveOrder>('newest');
  const active = system.data?.activeSessions ?? 0;
  // As long as all of them are here, they are filtered here, and the figures are of all.
  const isCacheAway = system.data?.activeSessions === null;
  const list = useLiveSessions(active > MAX_KEPT ? filters : NO_FILTERS, isCacheAway);
  const nowMs = Date.now() + (system.data?.aheadMs ?? 0);
  const shown = list.sessions.shown(filters, order, nowMs);
  const still = useStillList(shown, `${order} ${JSON.stringify(filters)}`);
  const isEmpty = !list.isLoading && list.sessions.size === 0;
  const [wasEmpty, setWasEmpty] = useState(false);
  useEffect(() => setWasEmpty(isEmpty && filters === NO_FILTERS), [isEmpty, filters]);

  return (
    <>
      <header class="head">
        <h1>Live</h1>
        <p>Sessions that go on now, as they change.</p>
      </header>
      {system.data?.ready === false && (
        <p class="aside" role="status">
          The past is still being filled in: times are behind, and change fast, until it is.
        </p>
      )}
      <LiveFigures system={system.data} list={list} nowMs={nowMs} />
      {list.error && list.isLoading ? (
        <Refusal error={list.error} retry={() => location.reload()} />
      ) : wasEmpty ? (
        <Empty title="No session is live">
          <p>Nobody has done anything for a while. The next event opens a session.</p>
          <FirstEvent />
        </Empty>
      ) : (
        <section class="panel" aria-label="Live sessions">
          <FilterBar
            filters={filters}
            order={order}
            devices={devicesOf(list.sessions.all())}
            still={still}
            count={shown.length}
            change={setFilters}
            changeOrder={setOrder}
          />
          {list.isLoading ? (
            <Loading rows={10} />
          ) : shown.length === 0 ? (
            <Empty title="No live session fits">
              <button type="button" onClick={() => setFilters(NO_FILTERS)}>
                Clear the filters
              </button>
            </Empty>
          ) : (
            <SessionList still={still} nowMs={nowMs} gapSeconds={system.data?.gapSeconds ?? null} />
          )}
        </section>
      )}
    </>
  );
}

function devicesOf(sessions: readonly { device: string | null }[]): string[] {
  const devices = new Set<string>();
  for (const { device } of sessions) if (device !== null && devices.size < 20) devices.add(device);
  return [...devices].sort();
}
