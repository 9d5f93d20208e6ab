/** Reading what is going on: a user's live session, and live sessions by filter. */
import { Type } from 'typebox';
import { parseDuration, type SessionDefinition } from '../../core/definition.ts';
import type { SessionRecord } from '../../core/output.ts';
import { parseTime } from '../../core/time.ts';
import { LullError } from '../../errors.ts';
import { checkId } from '../../http/ids.ts';
import {
  cursor,
  limit,
  minIdle,
  pageOf,
  parameters,
  REFUSALS,
  SessionAnswerRef,
  sessionFilters,
  UserParams,
  WriteHeaders,
} from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import type { LiveFilter } from '../../live/live.ts';
import { askLive, fromLive, fromStore } from './answers.ts';
import { lookupMetrics } from './lookup-metrics.ts';
import type { GatewayOptions } from './options.ts';
import { waitForWrite } from './position.ts';

const tags = ['sessions'];

export function liveRoutes(app: App, options: GatewayOptions): void {
  activeOfUser(app, options);
  activeByFilter(app, options);
}

function activeOfUser(app: App, options: GatewayOptions): void {
  const { live, history, query, clock, metrics, liveTiers } = options;
  const lookups = lookupMetrics(metrics, liveTiers);
  app.get(
    '/api/sessions/active/:userId',
    {
      schema: {
        summary: "A user's live session, as of now",
        tags,
        params: UserParams,
        headers: WriteHeaders,
        response: { 200: SessionAnswerRef, ...REFUSALS },
      },
    },
    async ({ params, headers }) => {
      const userId = checkId('userId', params.userId);
      const after = headers['lull-after'];
      const visibility = await waitForWrite(options, after, userId);
      if (visibility === 'published') {
        // While the live cache is away, the state knows as well.
        const { found } = await askLive(live.get(userId, after !== undefined), lookups);
        if (found !== null) return fromLive(found);
      }
      const known = await query?.sessionsOf(userId);
      const active = known?.sessions.find(({ state }) => state === 'active');
      if (known) lookups.other(known.source, active !== undefined);
      if (active !== undefined) return fromStore(active, known!.source, known!.asOfMs);
      const last = known?.sessions[0] ?? (await history.ofUser(userId, 1, null)).items[0];
      throw noLiveSession(userId, last, options.definition, clock.nowMs());
    },
  );
}

function activeByFilter(app: App, { live }: GatewayOptions): void {
  app.get(
    '/api/sessions/active',
    {
      schema: {
        summary: 'Live sessions that fit, the one with the latest event first',
        tags,
        querystring: parameters({
          ...sessionFilters,
          minIdle: Type.Optional(minIdle),
          limit: limit(50),
          cursor: Type.Optional(cursor),
        }),
        response: { 200: pageOf(SessionAnswerRef), ...REFUSALS },
      },
    },
    async ({ query: asked }) => {
      const { limit, cursor = null, minIdle, ...filter } = asked;
      const idle = minIdle === undefined ? {} : { minIdleMs: idleMs(minIdle) };
      const page = await live.list({ ...filter, ...idle } as LiveFilter, limit, cursor);
      return { items: page.items.map(fromLive), nextCursor: page.nextCursor };
    },
  );
}

/** `5m` or a number of seconds; its form has been checked by the schema. */
function idleMs(text: string): number {
  return parseDuration(/^\d+$/.test(text) ? `${text}s` : text) ?? 0;
}

/** Which of the two it is: never seen, or closed so long ago, and where to look. */
function noLiveSession(
  userId: string,
  last: SessionRecord | undefined,
  { gapMs, tiersMs }: SessionDefinition,
  nowMs: number,
): LullError {
  if (last === undefined) {
    return new LullError('user_unknown', `no session of ${userId} has been seen`);
  }
  const waitMs = last.closeReason === 'inactivity' ? gapMs + tiersMs[0]! : 0;
  const closedMs = parseTime(last.endTime)! + waitMs;
  const minutes = Math.max(0, Math.floor((nowMs - closedMs) / 60_000));
  return new LullError(
    'session_closed',
    `the last session of ${userId} closed ${minutes} min ago; its last event was at ${last.endTime}`,
    { hint: `GET /api/sessions/history/${encodeURIComponent(userId)} has it` },
  );
}
