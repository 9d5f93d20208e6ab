/** Asking a process for the state that it holds: what people look at, and other gateways ask. */
import { Type } from 'typebox';
import { partitionOf } from '../core/hash.ts';
import { LullError } from '../errors.ts';
import type { PartitionStatus, SessionQuery } from '../state/query.ts';
import { checkId } from './ids.ts';
import { parameters, REFUSALS, SessionRef, UserParams } from './schemas.ts';
import type { App } from './server.ts';

export interface StateRouteOptions {
  /** Of this process alone: what it doesn't hold it doesn't ask for elsewhere. */
  readonly held: SessionQuery;
  readonly partitions: () => readonly PartitionStatus[];
  readonly partitionCount: number;
}

const MAX_WAIT_MS = 10_000;

export function stateRoutes(app: App, options: StateRouteOptions): void {
  stateOfUser(app, options);
  partitionsForOthers(app, options);
}

function stateOfUser(app: App, { held, partitionCount }: StateRouteOptions): void {
  app.get(
    '/state/:userId',
    {
      schema: {
        summary: "What the processor holds of a user: sessions that aren't settled yet",
        tags: ['sessions'],
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
      const partition = partitionOf(userId, partitionCount);
      const known = await held.sessionsOf(userId);
      if (known === null) throw notHeld(partition);
      const { sessions, source, asOfMs } = known;
      return { partition, source, asOf: new Date(asOfMs).toISOString(), items: [...sessions] };
    },
  );
}

/** What instances ask each other, and nobody else. */
function partitionsForOthers(app: App, { held, partitions }: StateRouteOptions): void {
  app.get('/partitions', { schema: { hide: true } }, () => partitions());

  app.get(
    '/partitions/:partition/visible',
    {
      schema: {
        hide: true,
        params: Type.Object({ partition: Type.Integer({ minimum: 0 }) }),
        querystring: parameters({
          offset: Type.Integer({ minimum: 0 }),
          waitMs: Type.Integer({ minimum: 0, maximum: MAX_WAIT_MS }),
        }),
      },
    },
    async ({ params: { partition }, query: { offset, waitMs } }) => ({
      visibility: await held.waitVisible(partition, offset, waitMs),
    }),
  );
}

function notHeld(partition: number): LullError {
  return new LullError('wrong_owner', `partition ${partition} is not held here`);
}
