/** All that the explore view shows of a span of time, and of the span before it. */
import { get } from '../api.ts';
import type { Answers } from '../api-types.ts';
import { fineIntervalOf, hoursOf, type Interval, intervalOf, type Range } from './range.ts';

const METRICS = ['sessions', 'conversionRate', 'duration', 'revenue'] as const;
const FACETS = ['entryPage', 'exitPage', 'channel', 'device', 'eventType'] as const;
const SUMMED = ['sessions', 'events', 'conversionRate', 'averageDuration'] as const;

export type Series = Answers['/api/analytics/timeseries'];
export type Breakdown = Answers['/api/analytics/breakdown'];
export type FacetName = (typeof FACETS)[number];

export interface Sums {
  readonly sessions: number;
  readonly events: number;
  readonly conversions: number;
  readonly durationSeconds: number;
}

export interface ExploreData {
  readonly series: Readonly<Record<(typeof METRICS)[number], Series>>;
  readonly breakdowns: Readonly<Record<FacetName, Breakdown>>;
  readonly sums: Sums;
  readonly sumsBefore: Sums;
}

export async function loadExplore(range: Range, signal: AbortSignal): Promise<ExploreData> {
  const [series, breakdowns, summed] = await Promise.all([
    Promise.all(METRICS.map((one) => seriesOf(one, range, intervalOf(range), 1, signal))),
    Promise.all(FACETS.map((one) => breakdownOf(one, range, signal))),
    Promise.all(SUMMED.map((one) => seriesOf(one, range, fineIntervalOf(range), 2, signal))),
  ]);
  return {
    series: byName(METRICS, series),
    breakdowns: byName(FACETS, breakdowns),
    sums: sumsOf(summed, range.fromMs, range.toMs),
    sumsBefore: sumsOf(summed, 2 * range.fromMs - range.toMs, range.fromMs),
  };
}

/** `spans`: 2 begins one span earlier. */
function seriesOf(
  metric: string,
  range: Range,
  interval: Interval,
  spans: number,
  signal: AbortSignal,
): Promise<Series> {
  const asked = new URLSearchParams({
    metric,
    interval,
    hours: String(hoursOf(range) * spans),
    to: new Date(range.toMs).toISOString(),
    utcOffset: String(-new Date(range.toMs).getTimezoneOffset()),
  });
  return get('/api/analytics/timeseries', `/api/analytics/timeseries?${asked}`, signal);
}

function breakdownOf(by: FacetName, range: Range, signal: AbortSignal): Promise<Breakdown> {
  const asked = new URLSearchParams({
    by,
    hours: String(hoursOf(range)),
    to: new Date(range.toMs).toISOString(),
  });
  return get('/api/analytics/breakdown', `/api/analytics/breakdown?${asked}`, signal);
}

function sumsOf(series: readonly Series[], fromMs: number, toMs: number): Sums {
  const sums = { sessions: 0, events: 0, conversions: 0, durationSeconds: 0 };
  const [sessions, events, rate, duration] = series.map(({ points }) => points);
  for (const [index, { start, values }] of sessions!.entries()) {
    const startMs = Date.parse(start);
    if (startMs < fromMs || startMs >= toMs) continue;
    const count = values['sessions'] ?? 0;
    sums.sessions += count;
    sums.events += events![index]?.values['events'] ?? 0;
    sums.conversions += Math.round(count * (rate![index]?.values['conversionRate'] ?? 0));
    sums.durationSeconds += count * (duration![index]?.values['averageDuration'] ?? 0);
  }
  return sums;
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  values: readonly Value[],
): Record<Name, Value> {
  return Object.fromEntries(names.map((name, index) => [name, values[index]!])) as Record<
    Name,
    Value
  >;
}
