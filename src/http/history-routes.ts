/** Reading closed sessions: a user's history, converted ones, figures over the last hours. */
import { Type } from 'typebox';
import type { History } from '../history/history.ts';
import type { Clock } from '../ops/clock.ts';
import { checkId } from './ids.ts';
import {
  cursor,
  limit,
  pageOf,
  parameters,
  REFUSALS,
  SessionRef,
  UserParams,
  withDefault,
} from './schemas.ts';
import type { App } from './server.ts';

const HOUR_MS = 3_600_000;
const MAX_HOURS = 24 * 366;

const tags = ['sessions'];

export interface HistoryRouteOptions {
  readonly history: History;
  readonly clock: Clock;
}

export function historyRoutes(app: App, options: HistoryRouteOptions): void {
  ofUser(app, options);
  converted(app, options);
  stats(app, options);
}

function ofUser(app: App, { history }: HistoryRouteOptions): void {
  app.get(
    '/api/sessions/history/:userId',
    {
      schema: {
        summary: "A user's closed sessions, newest first",
        tags,
        params: UserParams,
        querystring: parameters({ limit: limit(50), cursor: Type.Optional(cursor) }),
        response: { 200: pageOf(SessionRef), ...REFUSALS },
      },
    },
    async ({ params, query: { limit, cursor = null } }) => {
      const page = await history.ofUser(checkId('userId', params.userId), limit, cursor);
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
}

function converted(app: App, { history }: HistoryRouteOptions): void {
  app.get(
    '/api/sessions/converted',
    {
      schema: {
        summary: 'Closed sessions with a purchase, newest first',
        tags,
        querystring: parameters({ size: limit(20), cursor: Type.Optional(cursor) }),
        response: { 200: pageOf(SessionRef), ...REFUSALS },
      },
    },
    async ({ query: { size, cursor = null } }) => {
      const page = await history.converted(size, cursor);
      return { items: [...page.items], nextCursor: page.nextCursor };
    },
  );
}

function stats(app: App, { history, clock }: HistoryRouteOptions): void {
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
