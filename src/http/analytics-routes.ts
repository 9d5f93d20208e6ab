/** Closed sessions over time and by what they are like, from the rollups. */
import { type Static, Type } from 'typebox';
import { parseTime } from '../core/time.ts';
import { LullError } from '../errors.ts';
import type { Facet, History, SeriesWindow } from '../history/history.ts';
import type { Clock } from '../ops/clock.ts';
import { parameters, REFUSALS, withDefault } from './schemas.ts';
import type { App } from './server.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Two years: one, and the one before it, which it is compared with. */
const MAX_HOURS = 2 * 24 * 366;
const MAX_POINTS = 1000;
/** Percentiles over shorter intervals than hours are read from the rows: no more of them. */
const MAX_HOURS_OF_ROWS = 6;

const INTERVALS_MS = {
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  '1d': DAY_MS,
};
const METRICS = [
  'sessions',
  'events',
  'conversionRate',
  'averageDuration',
  'averageEventCount',
  'revenue',
  'duration',
] as const;
const FACETS: readonly Facet[] = ['entryPage', 'exitPage', 'device', 'channel', 'eventType'];

const tags = ['analytics'];

const window = {
  hours: withDefault(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: MAX_HOURS,
      default: 24,
      description: `how far back from \`to\`, more than 0 and at most ${MAX_HOURS}`,
    }),
  ),
  to: Type.Optional(
    Type.String({ format: 'date-time', description: 'where it ends, ISO 8601; default now' }),
  ),
};

const Point = Type.Object({
  start: Type.String({ format: 'date-time' }),
  values: Type.Unsafe<Record<string, number | null>>({
    type: 'object',
    additionalProperties: { type: ['number', 'null'] },
    description: 'by name; null where no session ended',
  }),
});

export interface AnalyticsRouteOptions {
  readonly history: History;
  readonly clock: Clock;
}

export function analyticsRoutes(app: App, options: AnalyticsRouteOptions): void {
  timeseries(app, options);
  breakdown(app, options);
}

const TimeseriesQuery = parameters({
  metric: Type.Unsafe<(typeof METRICS)[number]>(
    Type.String({
      enum: METRICS,
      description:
        `${METRICS.join(', ')}; duration: the 50th, 95th and 99th percentile in seconds, within ` +
        '2 %; revenue: by currency',
      examples: ['sessions'],
    }),
  ),
  interval: withDefault(
    Type.Unsafe<keyof typeof INTERVALS_MS>(
      Type.String({
        enum: Object.keys(INTERVALS_MS),
        default: '1h',
        description: `${Object.keys(INTERVALS_MS).join(', ')}; at most ${MAX_POINTS} of them`,
      }),
    ),
  ),
  ...window,
  utcOffset: withDefault(
    Type.Integer({
      minimum: -14 * 60,
      maximum: 14 * 60,
      multipleOf: 15,
      default: 0,
      description: 'minutes by which local time is ahead of UTC: days begin at its midnight',
    }),
  ),
});

function timeseries(app: App, { history, clock }: AnalyticsRouteOptions): void {
  app.get(
    '/api/analytics/timeseries',
    {
      schema: {
        summary: 'A figure over time, by when sessions ended; the last interval may still grow',
        tags,
        querystring: TimeseriesQuery,
        response: {
          200: Type.Object(
            { metric: Type.String(), interval: Type.String(), points: Type.Array(Point) },
            { description: 'A point for each interval, oldest first' },
          ),
          ...REFUSALS,
        },
      },
    },
    async ({ query }) => {
      const { metric, interval } = query;
      const asked = windowOf(query, clock);
      const found = await valuesOf(history, metric, asked);
      const points = startsOf(asked).map((startMs) => ({
        start: new Date(startMs).toISOString(),
        values: found.values.get(startMs) ?? found.none,
      }));
      return { metric, interval, points };
    },
  );
}

function breakdown(app: App, { history, clock }: AnalyticsRouteOptions): void {
  app.get(
    '/api/analytics/breakdown',
    {
      schema: {
        summary: 'The commonest values of a property of sessions, by when they ended',
        tags,
        querystring: parameters({
          by: Type.Unsafe<Facet>(
            Type.String({ enum: FACETS, description: FACETS.join(', '), examples: ['entryPage'] }),
          ),
          ...window,
          limit: withDefault(
            Type.Integer({ minimum: 1, maximum: 1000, default: 10, description: 'values' }),
          ),
        }),
        response: {
          200: Type.Object(
            {
              by: Type.String(),
              unit: Type.String({ description: 'what is counted: sessions or events' }),
              total: Type.Integer({ description: 'of all values, those left out too' }),
              items: Type.Array(
                Type.Object({
                  value: Type.Unsafe<string | null>({
                    type: ['string', 'null'],
                    description: 'its first 500 characters; null: those that have none',
                  }),
                  count: Type.Integer(),
                  converted: Type.Integer({ description: 'of these, in sessions that converted' }),
                }),
              ),
            },
            { description: 'The commonest first' },
          ),
          ...REFUSALS,
        },
      },
    },
    async ({ query: { by, hours, to, limit } }) => {
      const toMs = endOf(to, clock);
      const { total, items } = await history.breakdown(by, toMs - hours * HOUR_MS, toMs, limit);
      return { by, unit: by === 'eventType' ? 'events' : 'sessions', total, items: [...items] };
    },
  );
}

function endOf(to: string | undefined, clock: Clock): number {
  return to === undefined ? clock.nowMs() : parseTime(to)!;
}

function windowOf(query: Static<typeof TimeseriesQuery>, clock: Clock): SeriesWindow {
  const { metric, interval, hours, to, utcOffset } = query;
  const intervalMs = INTERVALS_MS[interval];
  if ((hours * HOUR_MS) / intervalMs > MAX_POINTS) {
    throw new LullError(
      'invalid_parameter',
      `${hours} hours are more than ${MAX_POINTS} intervals of ${interval}`,
    );
  }
  if (metric === 'duration' && intervalMs < HOUR_MS && hours > MAX_HOURS_OF_ROWS) {
    throw new LullError(
      'invalid_parameter',
      `durations in intervals of ${interval} go back ${MAX_HOURS_OF_ROWS} hours at most`,
    );
  }
  const toMs = endOf(to, clock);
  // Intervals shorter than a day are the same for everybody. Times before 1970 are no origin.
  const originMs = intervalMs < DAY_MS ? 0 : DAY_MS - utcOffset * MINUTE_MS;
  return { fromMs: toMs - hours * HOUR_MS, toMs, intervalMs, originMs };
}

function startsOf({ fromMs, toMs, intervalMs, originMs }: SeriesWindow): number[] {
  const firstMs = Math.floor((fromMs - originMs) / intervalMs) * intervalMs + originMs;
  const count = Math.ceil((toMs - firstMs) / intervalMs);
  return Array.from({ length: count }, (_, index) => firstMs + index * intervalMs);
}

type Values = Readonly<Record<string, number | null>>;

/** By the start of the interval; `none` is for those in which no session ended. */
interface Found {
  readonly values: ReadonlyMap<number, Values>;
  readonly none: Values;
}

async function valuesOf(
  history: History,
  metric: (typeof METRICS)[number],
  asked: SeriesWindow,
): Promise<Found> {
  if (metric === 'revenue') {
    const points = await history.revenueSeries(asked);
    const currencies = new Set(points.flatMap(({ revenue }) => Object.keys(revenue)));
    const none = Object.fromEntries([...currencies].sort().map((currency) => [currency, 0]));
    const all = points.map(({ startMs, revenue }) => [startMs, { ...none, ...revenue }] as const);
    return { values: new Map(all), none };
  }
  if (metric === 'duration') {
    const points = await history.durationSeries(asked);
    const all = points.map(({ startMs, p50Ms, p95Ms, p99Ms }) => {
      return [startMs, { p50: p50Ms / 1000, p95: p95Ms / 1000, p99: p99Ms / 1000 }] as const;
    });
    return { values: new Map(all), none: { p50: null, p95: null, p99: null } };
  }
  const points = await history.series(asked);
  const all = points.map((point) => {
    const { startMs, sessions, events, conversions, durationMs } = point;
    const value = {
      sessions,
      events,
      conversionRate: conversions / sessions,
      averageDuration: durationMs / 1000 / sessions,
      averageEventCount: events / sessions,
    }[metric];
    return [startMs, { [metric]: value }] as const;
  });
  const none = metric === 'sessions' || metric === 'events' ? 0 : null;
  return { values: new Map(all), none: { [metric]: none } };
}
