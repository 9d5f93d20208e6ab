/** Reading closed sessions: a user's, converted ones, what one absorbed, figures over hours. */
import { Type } from 'typebox';
import type { History } from '../history/history.ts';
import type { Clock } from '../ops/clock.ts';
import { analyticsRoutes } from './analytics-routes.ts';
import { checkId } from './ids.ts';
import {
  cursor,
  limit,
  pageOf,
  parameters,
  REFUSALS,
  SessionParams,
  SessionRef,
  UserParams,
  withDefault,
} from './schemas.ts';
import type { App } from './server.ts';

const HOUR_MS = 3_600_000;
const MAX_HOURS = 24 * 366;
const MAX_ABSORBED = 100;

const tags = ['sessions'];

export interface HistoryRouteOptions {
  readonly history: History;
  readonly clock: Clock;
}

export function historyRoutes(app: App, options: HistoryRouteOptions): void {
  ofUser(app, options);
  totalsOfUser(app, options);
  converted(app, options);
  absorbed(app, options);
  stats(app, options);
  analyticsRoutes(app, options);
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

function totalsOfUser(app: App, { history }: HistoryRouteOptions): void {
  const time = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' });
  app.get(
    '/api/users/:userId',
    {
      schema: {
        summary: "Sums over a user's closed sessions; zeros where there are none",
        tags,
        params: UserParams,
        response: {
          200: Type.Object(
            {
              userId: Type.String(),
              sessions: Type.Integer(),
              events: Type.Integer(),
              durationSeconds: Type.Number(),
              conversions: Type.Integer({ description: 'sessions with a purchase' }),
              revenue: Type.Record(Type.String(), Type.Number(), { description: 'by currency' }),
              firstStart: time,
              lastEnd: time,
            },
            { description: 'Of what history keeps' },
          ),
          ...REFUSALS,
        },
      },
    },
    async ({ params }) => {
      const userId = checkId('userId', params.userId);
      const { durationMs, ...totals } = await history.totalsOf(userId);
      return { userId, durationSeconds: durationMs / 1000, ...totals };
    },
  );
}

function absorbed(app: App, { history }: HistoryRouteOptions): void {
  app.get(
    '/api/sessions/:sessionId/absorbed',
    {
      schema: {
        summary: 'Ids of sessions that became part of this one; each leads to it',
        tags,
        params: SessionParams,
        response: {
          200: Type.Object(
            { items: Type.Array(Type.String()) },
            { description: `The first ${MAX_ABSORBED}; none where it absorbed nothing` },
          ),
          ...REFUSALS,
        },
      },
    },
    async ({ params }) => {
      const sessionId = checkId('sessionId', params.sessionId);
      return { items: await history.absorbedBy(sessionId, MAX_ABSORBED) };
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
