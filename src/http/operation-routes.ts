/** What operators and programs ask of the process itself: health, ready, metrics. */
import { Type } from 'typebox';
import { LullError } from '../errors.ts';
import type { HealthReport } from '../ops/health.ts';
import type { Metrics } from '../ops/metrics.ts';
import { REFUSALS } from './schemas.ts';
import type { App } from './server.ts';

export interface OperationOptions {
  readonly health: () => HealthReport;
  readonly ready: () => boolean;
  readonly metrics: Metrics;
}

/** In words: the parts that are not well, or that there are none. */
function whatIsMissing({ parts }: HealthReport): string {
  const away = parts.filter(({ status }) => status !== 'ok');
  if (away.length === 0) return 'starting: not everything is there';
  return `not ready: ${away.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`;
}

const METRICS = {
  description: 'All of this process',
  content: { 'text/plain': { schema: Type.String() } },
};

const nullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

/** The same in metrics: who calls this again, for the same process, knows more by then. */
function healthMetrics({ health, ready, metrics }: OperationOptions): void {
  metrics.gauge(
    'lull_part_ok',
    'Whether a part is as it should be, by the name that /health gives it: 1 or 0.',
    ['part'],
    (gauge) => {
      for (const { name, status } of health().parts) gauge.set({ part: name }, +(status === 'ok'));
    },
  );
  metrics.gauge('lull_ready', 'Whether /ready answers 200: 1 or 0.', [], (gauge) =>
    gauge.set(+ready()),
  );
}

export function operationRoutes(app: App, options: OperationOptions): void {
  healthMetrics(options);
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
      if (!options.ready()) throw new LullError('not_ready', whatIsMissing(options.health()));
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
}
