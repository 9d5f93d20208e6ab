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
    'What is drawn',
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
        <Drawn
          title="Duration"
          series={series.duration}
          kind="line"
          format={formatDuration}
          isTime
        />
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
  isTime?: boolean;
}

const INKS = ['accent', 'soft', 'faint'] as const;
/** More lines can't be told apart; the API has them all. */
const MAX_LINES = 3;

function Drawn({ series, ...rest }: DrawnProps) {
  const { starts, lines } = useMemo(() => linesOf(series), [series]);
  if (lines.length === 0) return null;
  const note = `by ${INTERVALS[series.interval] ?? series.interval}, the newest still counting`;
  return <Chart note={note} starts={starts} lines={lines} {...rest} />;
}

const INTERVALS: Readonly<Record<string, string>> = {
  '5m': 'five minutes',
  '15m': '15 minutes',
  '1h': 'hour',
  '6h': 'six hours',
  '1d': 'day',
};

function linesOf({ metric, points }: Series): { starts: string[]; lines: ChartLine[] } {
  const total = (name: string) => points.reduce((sum, { values }) => sum + (values[name] ?? 0), 0);
  const all = Object.keys(points[0]?.values ?? {});
  // Currencies have no order of their own; percentiles have.
  if (metric === 'revenue') all.sort((left, right) => total(right) - total(left));
  const names = all.slice(0, MAX_LINES);
  const lines = names.map((name, index) => ({
    name: NAMES[name] ?? (name === metric ? metric : name),
    values: points.map(({ values }, at) => {
      const value = values[name] ?? null;
      // What has only begun would look like a fall to nothing.
      const hasBegun = metric === 'revenue' && at === points.length - 1 && value === 0;
      return hasBegun ? null : value;
    }),
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
        note={<Change now={sums.sessions} before={before.sessions} format={formatCount} />}
      />
      <Figure
        name="Converted"
        value={formatShare(rate(sums, 'conversions'))}
        note={
          <Change
            now={rate(sums, 'conversions')}
            before={rate(before, 'conversions')}
            format={formatShare}
          />
        }
      />
      <Figure
        name="Mean duration"
        value={formatDuration(rate(sums, 'durationSeconds'))}
        note={
          <Change
            now={rate(sums, 'durationSeconds')}
            before={rate(before, 'durationSeconds')}
            format={formatDuration}
          />
        }
      />
      <Figure
        name="Events a session"
        value={formatFigure(rate(sums, 'events'))}
        note={
          <Change
            now={rate(sums, 'events')}
            before={rate(before, 'events')}
            format={formatFigure}
          />
        }
      />
    </dl>
  );
}

interface ChangeProps {
  now: number;
  before: number;
  format: (value: number) => string;
}

/** Against the same length of time before. */
function Change({ now, before, format }: ChangeProps) {
  if (before === 0) return <>none in the time before</>;
  const change = (now - before) / before;
  const isTelling = Math.abs(change) <= MAX_CHANGE;
  return (
    <>
      {isTelling && `${change < 0 ? '−' : '+'}${formatShare(Math.abs(change))} from `}
      {format(before)}
      {!isTelling && ' in the time before'}
    </>
  );
}

/** Beyond it, a percentage says nothing. */
const MAX_CHANGE = 5;
