/** How the system is, for people: what a session is here, its partitions, clocks and lag. */
import { Type } from 'typebox';
import { LullError } from '../../errors.ts';
import { REFUSALS } from '../../http/schemas.ts';
import type { App } from '../../http/server.ts';
import type { Live } from '../../live/live.ts';
import type { PartitionStatus } from '../../state/query.ts';
import type { GatewayOptions } from './options.ts';

const nullableTime = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const nullableCount = (description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0, description });
const nullableText = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], description });

const Partition = Type.Object({
  partition: Type.Integer(),
  endOffset: count('events that the log has given it'),
  state: nullableText('restoring, running or stopped; null where its processor is not asked'),
  reason: nullableText('why it stopped'),
  clock: nullableTime('the highest event time accepted; null before the first event'),
  sendingClock: nullableTime('the same, run on with time while nothing comes'),
  lag: nullableCount('events not yet processed; null where that is not known'),
  usersInMemory: nullableCount('users that its processor has at hand'),
});

const System = Type.Object(
  {
    ready: Type.Boolean(),
    now: Type.String({ format: 'date-time', description: 'by the clock of the system' }),
    activeSessions: nullableCount('users with a live session; null while the live cache is away'),
    gapSeconds: Type.Number({ description: 'events further apart are of two sessions' }),
    tierSeconds: Type.Array(Type.Number(), { description: 'how long after the gap it is sent' }),
    partitions: Type.Array(Partition),
    sessions: Type.Record(Type.String(), Type.Integer(), {
      description: 'what became of sessions since the start; empty where no processor is asked',
    }),
  },
  { description: 'As of now' },
);

export function systemRoutes(app: App, options: GatewayOptions): void {
  const { live, definition, clock, events } = options;
  app.get(
    '/api/system',
    {
      schema: {
        summary: 'Partitions, their clocks and lag; active sessions; the definition of a session',
        tags: ['operations'],
        response: { 200: System, ...REFUSALS },
      },
    },
    async () => {
      const known = await options.partitions();
      return {
        ready: options.ready(),
        now: new Date(clock.nowMs()).toISOString(),
        activeSessions: await sizeOf(live),
        gapSeconds: definition.gapMs / 1000,
        tierSeconds: definition.tiersMs.map((tierMs) => tierMs / 1000),
        partitions: Array.from({ length: events.partitionCount }, (_, partition) => {
          const status = known.find((one) => one.partition === partition);
          return { partition, endOffset: events.endOffset(partition), ...figuresOf(status) };
        }),
        sessions: summed(known),
      };
    },
  );
}

/** The rest is known without it, and matters most when something is away. */
async function sizeOf(live: Live): Promise<number | null> {
  try {
    return await live.size();
  } catch (error) {
    if (error instanceof LullError && error.code === 'live_unavailable') return null;
    throw error;
  }
}

function figuresOf(status: PartitionStatus | undefined) {
  const { state = null, reason = null, usersInMemory = null } = status ?? {};
  const visibleOffset = status?.visibleOffset ?? null;
  return {
    state,
    reason,
    usersInMemory,
    clock: timeOf(status?.clockMs),
    sendingClock: timeOf(status?.sendingClockMs),
    lag: visibleOffset === null ? null : Math.max(0, status!.endOffset - visibleOffset),
  };
}

function summed(statuses: readonly PartitionStatus[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counts } of statuses) {
    for (const [name, value] of Object.entries(counts ?? {})) {
      sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return sums;
}

function timeOf(timeMs: number | null | undefined): string | null {
  const isKnown = typeof timeMs === 'number' && Number.isFinite(timeMs);
  return isKnown ? new Date(timeMs).toISOString() : null;
}
