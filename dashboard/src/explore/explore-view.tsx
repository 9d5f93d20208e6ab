/** Closed sessions over time and by what they are like. */
import { useMemo, useState } from 'preact/hooks';
import { formatCount, formatDuration, formatFigure, formatShare } from '../format.ts';
import { useObservable } from '../observable.ts';
import { Figure } from '../parts/figure.tsx';
import { FirstEvent } from '../parts/first-event.tsx';
import { Empty, Loading, Refusal } from '../parts/states.tsx';
import { useTitle } from '../parts/title.ts';
import { useResource } from '../resource.ts';
import { address } from '../route.ts';
import { BarTable } from './bar-table.tsx';
import { Chart, type ChartLine } from './chart.tsx';
import { type ExploreData, loadExplore, type Series, type Sums } from './explore-data.ts';
import { type Range, rangeOf } from './range.ts';
import { RangeBar } from './range-bar.tsx';

const EVERY_MS = 60_000;

export function ExploreView() {
  useTitle('Explore');
  const { search } = new URL(useObservable(address), 'http://here');
  const [nowMs] = useState(Date.now());
  const range = useMemo(() => rangeOf(search, nowMs), [search, nowMs]);
  const { data, error, reload } = useResource(
    `explore ${search}`,
    (signal) => loadExplore(rangeOf(search, Date.now()), signal),
    EVERY_MS,
  );
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <header class="head">
        <h1>Explore</h1>
        <p>
          Closed sessions, by when they ended, in {zone} time. Those that are still open are not in
          it.
        </p>
      </header>
      <RangeBar key={range.name} range={range} />
      {data !== null ? (
        <Results data={data} range={range} />
      ) : error !== null ? (
        <Refusal error={error} retry={reload} />
      ) : (
        <Loading rows={14} />
      )}
    </>
  );
}

function Results({ data, range }: { data: ExploreData; range: Range }) {
  const { series, breakdowns, sums, sumsBefore } = data;
  if (sums.sessions === 0 && sumsBefore.sessions === 0) {
    return (
      <Empty title="No session ended in this time">
        <p>
          A session counts once it has closed: after the last event, the gap and the grace must
          pass. Choose a longer time, or send events.
        </p>
        {range.name !== 'custom' && <FirstEvent />}
      </Empty>
    );
  }
  return (
    <>
      <Summary sums={sums} before={sumsBefore} />
      <div class="charts">
        <Drawn title="Sessions" series={series.sessions} kind="bars" format={formatCount} />
        <Drawn title="Conversion" series={series.conversionRate} kind="line" format={formatShare} />
        <Drawn title="Duration" series={series.duration} kind="line" format={formatDuration} />
        <Drawn title="Revenue" series={series.revenue} kind="line" format={formatFigure} />
      </div>
      <div class="charts">
        <BarTable title="Entry pages" breakdown={breakdowns.entryPage} none="No page" />
        <BarTable title="Exit pages" breakdown={breakdowns.exitPage} none="No page" />
        <BarTable title="Channels" breakdown={breakdowns.channel} none="No channel" />
        <BarTable title="Devices" breakdown={breakdowns.device} none="No device" />
        <BarTable title="Event mix" breakdown={breakdowns.eventType} none="No type" />
      </div>
    </>
  );
}

interface DrawnProps {
  title: string;
  series: Series;
  kind: 'bars' | 'line';
  format: (value: number) => string;
}

const INKS = ['accent', 'soft', 'faint'] as const;
/** More lines can't be told apart; the API has them all. */
const MAX_LINES = 3;

function Drawn({ title, series, kind, format }: DrawnProps) {
  const { starts, lines } = useMemo(() => linesOf(series), [series]);
  if (lines.length === 0) return null;
  return <Chart title={title} starts={starts} lines={lines} kind={kind} format={format} />;
}

function linesOf({ metric, points }: Series): { starts: string[]; lines: ChartLine[] } {
  const names = Object.keys(points[0]?.values ?? {}).slice(0, MAX_LINES);
  const lines = names.map((name, index) => ({
    name: NAMES[name] ?? (name === metric ? metric : name),
    values: points.map(({ values }) => values[name] ?? null),
    ink: INKS[index]!,
  }));
  return { starts: points.map(({ start }) => start), lines };
}

const NAMES: Readonly<Record<string, string>> = {
  sessions: 'Sessions',
  conversionRate: 'Converted',
  p50: 'Median',
  p95: '95 %',
  p99: '99 %',
};

function Summary({ sums, before }: { sums: Sums; before: Sums }) {
  const rate = (of: Sums, figure: keyof Sums) => (of.sessions === 0 ? 0 : of[figure] / of.sessions);
  return (
    <dl class="figures">
      <Figure
        name="Sessions"
        value={formatCount(sums.sessions)}
        note={<Change now={sums.sessions} before={before.sessions} />}
      />
      <Figure
        name="Converted"
        value={formatShare(rate(sums, 'conversions'))}
        note={<Change now={rate(sums, 'conversions')} before={rate(before, 'conversions')} />}
      />
      <Figure
        name="Mean duration"
        value={formatDuration(rate(sums, 'durationSeconds'))}
        note={
          <Change now={rate(sums, 'durationSeconds')} before={rate(before, 'durationSeconds')} />
        }
      />
      <Figure
        name="Events a session"
        value={formatFigure(rate(sums, 'events'))}
        note={<Change now={rate(sums, 'events')} before={rate(before, 'events')} />}
      />
    </dl>
  );
}

/** Against the same length of time before. */
function Change({ now, before }: { now: number; before: number }) {
  if (before === 0) return <>nothing before to compare with</>;
  const change = (now - before) / before;
  return (
    <>
      {change >= 0 ? '+' : '−'}
      {formatShare(Math.abs(change))} to the time before
    </>
  );
}
