/** What operators and programs ask of the process itself: health, ready, metrics, rate, stats. */
import { Type } from 'typebox';
import { LullError } from '../../errors.ts';
import type { App, GatewayOptions, RateControl } from './options.ts';
import { parameters, REFUSALS, withDefault } from './schemas.ts';

const HOUR_MS = 3_600_000;
const MAX_HOURS = 24 * 366;

const METRICS = {
  description: 'All of this process',
  content: { 'text/plain': { schema: Type.String() } },
};

const nullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

export function operationRoutes(app: App, options: GatewayOptions): void {
  app.get(
    '/health',
    {
      schema: {
        summary: 'Whether the process can serve, and which parts are not as they should be',
        tags: ['operations'],
        security: [],
        response: {
          200: Type.Object(
            {
              status: Type.String({ description: 'ok or degraded' }),
              parts: Type.Array(
                Type.Object({ name: Type.String(), status: Type.String(), reason: nullableText }),
              ),
            },
            { description: 'It can; `degraded` names the parts that are not well' },
          ),
        },
      },
    },
    () => {
      const { status, parts } = options.health();
      return { status, parts: [...parts] };
    },
  );

  app.get(
    '/ready',
    {
      schema: {
        summary: '200 once restore and back-fill can be seen in history, 503 until then',
        tags: ['operations'],
        security: [],
        response: {
          200: Type.Object({ ready: Type.Boolean() }, { description: 'It is' }),
          ...REFUSALS,
        },
      },
    },
    () => {
      if (!options.ready()) throw new LullError('not_ready', 'starting: not everything is there');
      return { ready: true };
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        summary: "Metrics in Prometheus' text format",
        tags: ['operations'],
        security: [],
        response: { 200: METRICS },
      },
    },
    async (_request, reply) => {
      const text = await options.metrics.text();
      return reply.type(options.metrics.contentType).send(text);
    },
  );

  if (options.rate !== null) rateRoutes(app, options.rate);
}

export function analyticsRoutes(app: App, { history, clock }: GatewayOptions): void {
  app.get(
    '/api/analytics/stats',
    {
      schema: {
        summary: 'Figures over the sessions that ended in the last hours',
        tags: ['analytics'],
        querystring: parameters({
          hours: withDefault(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: MAX_HOURS,
              default: 24,
              description: `how far back, more than 0 and at most ${MAX_HOURS}`,
            }),
          ),
        }),
        response: {
          200: Type.Object(
            {
              totalSessions: Type.Integer(),
              averageDuration: Type.Number({ description: 'seconds' }),
              averageEventCount: Type.Number(),
              conversionCount: Type.Integer(),
              conversionRate: Type.Number({ description: '0 to 1' }),
            },
            { description: 'Zeros where no session ended' },
          ),
          ...REFUSALS,
        },
      },
    },
    ({ query: { hours } }) => {
      const nowMs = clock.nowMs();
      return history.stats(nowMs - Math.round(hours * HOUR_MS), nowMs);
    },
  );
}

function rateRoutes(app: App, rate: RateControl): void {
  const Rate = Type.Object(
    {
      eventsPerSecond: Type.Number({ minimum: 0, maximum: 1_000_000 }),
    },
    { description: 'The rate in force' },
  );
  const schema = { tags: ['simulator'], response: { 200: Rate, ...REFUSALS } };
  app.get(
    '/api/rate',
    { schema: { ...schema, summary: "The simulator's events a second" } },
    () => ({ eventsPerSecond: rate.get() }),
  );
  app.put(
    '/api/rate',
    { schema: { ...schema, summary: "Sets the simulator's events a second", body: Rate } },
    ({ body }) => {
      const problem = rate.set(body.eventsPerSecond);
      if (problem !== null) throw new LullError('invalid_parameter', problem);
      return { eventsPerSecond: rate.get() };
    },
  );
}
