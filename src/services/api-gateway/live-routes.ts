/** Reading what is going on: a user's live session, live sessions by filter, a user's state. */
import { Type } from 'typebox';
import { parseDuration, type SessionDefinition } from '../../core/definition.ts';
import { partitionOf } from '../../core/hash.ts';
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
  SessionRef,
  sessionFilters,
  UserParams,
  WriteHeaders,
} from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import type { LiveAnswer, LiveFilter } from '../../live/live.ts';
import { fromLive, fromStore } from './answers.ts';
import type { GatewayOptions } from './options.ts';
import { waitForWrite } from './position.ts';

const tags = ['sessions'];

export function liveRoutes(app: App, options: GatewayOptions): void {
  activeOfUser(app, options);
  activeByFilter(app, options);
  stateOfUser(app, options);
}

function activeOfUser(app: App, options: GatewayOptions): void {
  const { live, history, query, clock } = options;
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
      const asked = visibility === 'published' ? live.get(userId, after !== undefined) : null;
      const found = asked === null ? null : await liveAnswer(asked);
      if (found !== null) return fromLive(found);
      const known = await query?.sessionsOf(userId);
      const active = known?.sessions.find(({ state }) => state === 'active');
      if (active !== undefined) return fromStore(active, known!.source, known!.asOfMs);
      const last = known?.sessions[0] ?? (await history.ofUser(userId, 1, null)).items[0];
      throw noLiveSession(userId, last, options.definition, clock.nowMs());
    },
  );
}

/** Null also while the live cache can't be asked: the state knows as well. */
async function liveAnswer(asked: Promise<LiveAnswer | null>): Promise<LiveAnswer | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof LullError && error.code === 'live_unavailable') return null;
    throw error;
  }
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

function stateOfUser(app: App, { query, events }: GatewayOptions): void {
  if (query === null) return;
  app.get(
    '/state/:userId',
    {
      schema: {
        summary: "What the processor holds of a user: sessions that aren't settled yet",
        tags,
        params: UserParams,
        response: {
          200: Type.Object(
            {
              partition: Type.Integer(),
              source: Type.String({ description: 'state, or standby: a copy that follows it' }),
              asOf: Type.String({ format: 'date-time', description: 'how fresh the answer is' }),
              items: Type.Array(SessionRef),
            },
            { description: 'None where it knows nothing' },
          ),
          ...REFUSALS,
        },
      },
    },
    async ({ params }) => {
      const userId = checkId('userId', params.userId);
      const partition = partitionOf(userId, events.partitionCount);
      const known = await query.sessionsOf(userId);
      if (known === null) {
        throw new LullError('wrong_owner', `partition ${partition} is not held here`);
      }
      const { sessions, source, asOfMs } = known;
      return { partition, source, asOf: new Date(asOfMs).toISOString(), items: [...sessions] };
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
