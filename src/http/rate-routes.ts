/** Reading and setting the simulator's rate. */
import { Type } from 'typebox';
import { LullError } from '../errors.ts';
import { REFUSALS } from './schemas.ts';
import type { App } from './server.ts';

export interface RateControl {
  /** Events a second. */
  get(): number;
  /** A sentence when the simulator can't do it; null when it can, and does. */
  set(eventsPerSecond: number): string | null;
}

export function rateRoutes(app: App, rate: RateControl): void {
  const Rate = Type.Object(
    {
      eventsPerSecond: Type.Number({ minimum: 0, maximum: 1_000_000 }),
    },
    { description: 'The rate in force' },
  );
  const schema = { tags: ['simulator'], response: { 200: Rate, ...REFUSALS } };
  app.get(
    '/api/rate',
    { schema: { ...schema, summary: "The simulator's events a second" } },
    () => ({ eventsPerSecond: rate.get() }),
  );
  app.put(
    '/api/rate',
    { schema: { ...schema, summary: "Sets the simulator's events a second", body: Rate } },
    ({ body }) => {
      const problem = rate.set(body.eventsPerSecond);
      if (problem !== null) throw new LullError('invalid_parameter', problem);
      return { eventsPerSecond: rate.get() };
    },
  );
}
