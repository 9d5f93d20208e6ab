/** A figure over time: drawn, read out under the pointer, and as a table for those who want it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatMoment, NONE } from '../format.ts';
import { useThemeTurn } from './theme.ts';

export interface ChartLine {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** Which of the few ways of being drawn it has. */
  readonly ink: 'accent' | 'soft' | 'faint';
}

interface ChartProps {
  title: string;
  /** How it is cut: `by hour`. */
  note: string;
  starts: readonly string[];
  lines: readonly ChartLine[];
  kind: 'bars' | 'line';
  format: (value: number) => string;
  /** Values are seconds: the axis counts in round ones. */
  isTime?: boolean;
}

export function Chart({ title, note, starts, lines, kind, format, isTime = false }: ChartProps) {
  const [isTable, setTable] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  // A line at zero says something; a bar of no height doesn't.
  const isNothing = (value: number | null) => (kind === 'bars' ? !value : value === null);
  const isEmpty = lines.every(({ values }) => values.every(isNothing));
  const text = (value: number | null | undefined) => (value == null ? NONE : format(value));
  return (
    <figure class="panel chart">
      <figcaption class="panel-head">
        <h2>{title}</h2>
        <button type="button" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          Table
        </button>
      </figcaption>
      {isTable ? (
        <ChartTable title={title} starts={starts} lines={lines} text={text} />
      ) : (
        <>
          <p class="readout" aria-hidden="true">
            <span class="soft">{at === null ? note : `From ${formatMoment(starts[at]!)}`}</span>
            {lines.map(({ name, values, ink }) => (
              <span key={name} class={`ink ${ink}`}>
                {lines.length > 1 && name} {at !== null && text(values[at])}
              </span>
            ))}
          </p>
          {isEmpty ? (
            <p class="nothing">No session ended in this time.</p>
          ) : (
            <Plot {...{ starts, lines, kind, format, isTime }} point={setAt} />
          )}
        </>
      )}
    </figure>
  );
}

interface PlotProps extends Omit<ChartProps, 'title' | 'note'> {
  point: (index: number | null) => void;
}

function Plot({ starts, lines, kind, format, isTime = false, point }: PlotProps) {
  const ref = useRef<HTMLDivElement>(null);
  const theme = useThemeTurn();
  useEffect(() => {
    const host = ref.current!;
    const options = optionsOf({ lines, kind, format, isTime, point }, host);
    const times = starts.map((start) => Date.parse(start) / 1000);
    const plot = new uPlot(options, [times, ...lines.map(({ values }) => [...values])], host);
    const observer = new ResizeObserver(() => {
      plot.setSize({ width: host.clientWidth, height: options.height });
    });
    observer.observe(host);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [starts, lines, kind, theme]);
  return <div ref={ref} class="plot" aria-hidden="true" />;
}

const ROUND_SECONDS = [
  0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400,
];

function optionsOf(
  { lines, kind, format, isTime, point }: Omit<PlotProps, 'starts'>,
  host: HTMLElement,
): uPlot.Options {
  const style = getComputedStyle(host);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--axis'),
    font: '12px system-ui, sans-serif',
    ticks: { show: false },
  };
  const inks = {
    accent: colour('--line-accent'),
    soft: colour('--line-soft'),
    faint: colour('--line-faint'),
  };
  return {
    width: host.clientWidth,
    height: 200,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false } },
      {
        ...axis,
        grid: { stroke: colour('--grid'), width: 1 },
        size: (_plot, values) => 14 + 7 * Math.max(3, ...(values ?? []).map((one) => one.length)),
        values: (_plot, splits) => splits.map(format),
        space: 44,
        ...(isTime ? { incrs: ROUND_SECONDS } : {}),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, ink, values }) => ({
        label: name,
        stroke: inks[ink],
        width: ink === 'accent' ? 2 : 1.5,
        ...(ink === 'faint' ? { dash: [4, 3] } : {}),
        ...(kind === 'bars'
          ? { fill: inks[ink], paths: uPlot.paths.bars!({ size: [0.72, 40], radius: 0.15 }) }
          : {}),
        // One value alone makes no line.
        points: { show: values.filter((value) => value !== null).length === 1 },
        spanGaps: true,
      })),
    ],
  };
}

interface ChartTableProps {
  title: string;
  starts: readonly string[];
  lines: readonly ChartLine[];
  text: (value: number | null | undefined) => string;
}

function ChartTable({ title, starts, lines, text }: ChartTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls: the keyboard must reach it
    <div class="twin" role="region" aria-label={`${title}, as a table`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">From</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {starts.map((start, index) => (
            <tr key={start}>
              <td>{formatMoment(start)}</td>
              {lines.map(({ name, values }) => (
                <td key={name}>{text(values[index])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
