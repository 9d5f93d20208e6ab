/** Server-sent events: what happens to sessions, to all or to one user's. */
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { LullError } from '../../errors.ts';
import { checkId } from '../../http/ids.ts';
import { parameters, REFUSALS, sessionFilters, UserParams } from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import type { GatewayOptions } from './options.ts';
import { SessionStream } from './session-stream.ts';
import { frameOf, StreamClient, WaitingRoom } from './stream-client.ts';
import { STREAM_STATES, type StreamFilter, type StreamState } from './stream-filter.ts';

const MAX_STREAMS = 10_000;
/** What a browser waits before it connects again. */
const RETRY_MS = 2000;

const Events = {
  description:
    'Events: `session` (data: a session; a sent one has an id to resume after), `gone` (data: ' +
    '{userId}, who has no live session any more), `skipped` (something was left out), `end` ' +
    '(data: {code,message}; then it closes). A comment every 15 s.',
  content: { 'text/event-stream': { schema: Type.String() } },
};

const ResumeHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ maxLength: 8192, description: 'the id of the last event that was read' }),
  ),
});

export function streamRoutes(app: App, options: GatewayOptions): void {
  const { live, sessions, logger, metrics, maxStreams = MAX_STREAMS } = options;
  const stream = new SessionStream(live, sessions, logger);
  const room = new WaitingRoom();
  metrics.queue('stream_clients', maxStreams, () => stream.size);
  metrics.queue('stream_waiting_bytes', room.limitBytes, () => room.bytes);
  app.addHook('preClose', (done) => {
    stream.close();
    done();
  });

  function open(reply: FastifyReply, filter: StreamFilter, lastEventId?: string): StreamClient {
    if (stream.size >= maxStreams) {
      throw new LullError('too_many_streams', `${maxStreams} streams are open already`);
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      // For proxies that would hold events back.
      'x-accel-buffering': 'no',
    });
    reply.raw.write(`retry: ${RETRY_MS}\n\n`);
    const client = new StreamClient(reply.raw, room);
    reply.raw.once('close', () => stream.remove(client));
    stream.add(client, filter, lastEventId);
    return client;
  }

  app.get(
    '/api/stream/sessions',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'What happens to sessions, as server-sent events',
        tags: ['streams'],
        querystring: parameters({
          state: Type.Optional(
            Type.String({
              pattern: `^(${STREAM_STATES.join('|')})(,(${STREAM_STATES.join('|')}))*$`,
              description: 'active, closed, amended, merged, or several with commas; default all',
              examples: ['closed'],
            }),
          ),
          ...sessionFilters,
        }),
        headers: ResumeHeaders,
        response: { 200: Events, ...REFUSALS },
      },
    },
    (request, reply) => {
      const { state, ...figures } = request.query;
      const states = new Set((state?.split(',') ?? STREAM_STATES) as StreamState[]);
      open(reply, { ...figures, states } as StreamFilter, request.headers['last-event-id']);
    },
  );

  app.get(
    '/api/sessions/active/:userId/stream',
    {
      exposeHeadRoute: false,
      schema: {
        summary: "One user's sessions, as server-sent events, beginning with the live one",
        tags: ['streams'],
        params: UserParams,
        headers: ResumeHeaders,
        response: { 200: Events, ...REFUSALS },
      },
    },
    async (request, reply) => {
      const userId = checkId('userId', request.params.userId);
      const filter = { userId, states: new Set(STREAM_STATES) };
      const client = open(reply, filter, request.headers['last-event-id']);
      const now = await live.get(userId);
      client.send(
        now === null
          ? frameOf('gone', JSON.stringify({ userId }))
          : frameOf('session', JSON.stringify(now.session)),
      );
    },
  );
}
