/** Reading one session by its id, live or closed. */
import { LullError } from '../../errors.ts';
import { checkId } from '../../http/ids.ts';
import { REFUSALS, SessionAnswerRef, SessionParams, WriteHeaders } from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import { askLive, fromLive, fromStore } from './answers.ts';
import { lookupMetrics } from './lookup-metrics.ts';
import type { GatewayOptions } from './options.ts';
import { waitForWrite } from './position.ts';

export function sessionRoutes(app: App, options: GatewayOptions): void {
  const { live, history, clock, metrics, liveTiers } = options;
  const lookups = lookupMetrics(metrics, liveTiers);
  app.get(
    '/api/sessions/:sessionId',
    {
      schema: {
        summary: 'One session by its id; an absorbed id answers with its survivor',
        tags: ['sessions'],
        params: SessionParams,
        headers: WriteHeaders,
        response: { 200: SessionAnswerRef, ...REFUSALS },
      },
    },
    async ({ params, headers }) => {
      const sessionId = checkId('sessionId', params.sessionId);
      const after = headers['lull-after'];
      if ((await waitForWrite(options, after, null)) === 'committed') {
        throw new LullError('position_pending', 'the live cache has yet to be filled again');
      }
      const { found, away } = await askLive(live.session(sessionId, after !== undefined), lookups);
      if (found !== null) return fromLive(found);
      const closed = await history.session(sessionId);
      lookups.other('history', closed !== null);
      if (closed !== null) return fromStore(closed, 'history', clock.nowMs());
      if (away !== null) throw away;
      const survivorId = await history.survivorOf(sessionId);
      const survivor = survivorId === null ? null : await live.session(survivorId);
      if (survivor !== null) return fromLive(survivor);
      throw new LullError('session_unknown', `no session ${sessionId} is known here`);
    },
  );
}
