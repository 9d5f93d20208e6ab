/** Reading what has been: a user's history, converted sessions, one session by its id. */
import { Type } from 'typebox';
import { LullError } from '../../errors.ts';
import { checkId, fromLive, fromStore } from './answers.ts';
import type { App, GatewayOptions } from './options.ts';
import { waitForWrite } from './position.ts';
import {
  cursor,
  limit,
  pageOf,
  parameters,
  REFUSALS,
  SessionAnswerRef,
  SessionParams,
  SessionRef,
  UserParams,
  WriteHeaders,
} from './schemas.ts';

const tags = ['sessions'];

export function sessionRoutes(app: App, options: GatewayOptions): void {
  historyOfUser(app, options);
  converted(app, options);
  sessionById(app, options);
}

function historyOfUser(app: App, { history }: GatewayOptions): void {
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

function converted(app: App, { history }: GatewayOptions): void {
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

function sessionById(app: App, options: GatewayOptions): void {
  const { live, history, clock } = options;
  app.get(
    '/api/sessions/:sessionId',
    {
      schema: {
        summary: 'One session by its id; an absorbed id answers with its survivor',
        tags,
        params: SessionParams,
        headers: WriteHeaders,
        response: { 200: SessionAnswerRef, ...REFUSALS },
      },
    },
    async ({ params, headers }) => {
      const sessionId = checkId('sessionId', params.sessionId);
      await waitForWrite(options, headers['lull-after'], null);
      const found = await live.session(sessionId);
      if (found !== null) return fromLive(found);
      const closed = await history.session(sessionId);
      if (closed !== null) return fromStore(closed, 'history', clock.nowMs());
      const survivorId = await history.survivorOf(sessionId);
      const survivor = survivorId === null ? null : await live.session(survivorId);
      if (survivor !== null) return fromLive(survivor);
      throw new LullError('session_unknown', `no session ${sessionId} is known here`);
    },
  );
}
