/** The state of the system, asked for every two seconds, and what changes from one to the next. */
import { useRef } from 'preact/hooks';
import { get } from '../api.ts';
import type { Answers } from '../api-types.ts';
import { type Resource, useResource } from '../resource.ts';
import { type Counts, RecentCounts } from './rates.ts';

const EVERY_MS = 2000;
/** Two minutes of them. */
export const RATE_SLOTS = 60;

export type System = Answers['/api/system'];

export interface SystemNow extends System {
  /** The system's clock less the browser's. */
  readonly aheadMs: number;
  /** Events a second that the log was given, the newest last; empty before the second answer. */
  readonly rates: readonly number[];
  /** What became of sessions, a second; null where that can't be said. */
  readonly sessionRates: Counts | null;
}

interface Reading {
  readonly atMs: number;
  readonly events: number;
}

export function useSystem(): Resource<SystemNow> {
  const last = useRef<Reading | null>(null);
  const rates = useRef<number[]>([]);
  const sessions = useRef(new RecentCounts()).current;
  return useResource(
    'The state of the system',
    '/api/system',
    async (signal) => {
      const system = await get('/api/system', '/api/system', signal);
      const events = system.partitions.reduce((sum, { endOffset }) => sum + endOffset, 0);
      const reading = { atMs: performance.now(), events };
      // After a long silence, or a new start of the log, a rate would mean nothing.
      const before = last.current;
      const passedMs = before === null ? Infinity : reading.atMs - before.atMs;
      if (before !== null && passedMs < 4 * EVERY_MS && events >= before.events) {
        rates.current = [...rates.current, ((events - before.events) / passedMs) * 1000];
        rates.current = rates.current.slice(-RATE_SLOTS);
      }
      if (system.partitions.length > 0) last.current = reading;
      const asked = system.partitions.map(({ state }) => state).join();
      return {
        ...system,
        aheadMs: aheadOf(system),
        rates: rates.current,
        sessionRates: sessions.perSecond(system.sessions, asked),
      };
    },
    EVERY_MS,
  );
}

/** The system's clock less the browser's, asked for once; 0 until it is known. */
export function useAheadMs(): number {
  const { data } = useResource('The time', 'ahead', async (signal) => {
    return aheadOf(await get('/api/system', '/api/system', signal));
  });
  return data ?? 0;
}

function aheadOf({ now }: System): number {
  return Date.parse(now) - Date.now();
}
