/** How much the shoppers do: their number and their pace, worked out from what was asked for. */
import { LullError } from '../../errors.ts';

export interface Load {
  /** Shoppers in the shop at any time. */
  readonly shoppers: number;
  /** Of all shoppers together. */
  readonly eventsPerSecond: number;
}

/** What was asked for; either may be missing. */
export interface LoadRequest {
  readonly users?: number | undefined;
  /** Events a second. */
  readonly rate?: number | undefined;
}

const DEFAULT_SHOPPERS = 50;
/** A dozen events in three minutes. */
const HUMAN_EVENTS_PER_SECOND = 0.072;
/** Slower, and a visit of three minutes would hold fewer than two events. */
const MIN_EVENTS_PER_SECOND = 0.011;
/** Faster, and most events of a shopper would share a millisecond with others. */
const MAX_EVENTS_PER_SECOND = 100;
/** Each takes some 250 bytes of memory. */
const MAX_SHOPPERS = 100_000;

export const DEFAULT_LOAD: Load = {
  shoppers: DEFAULT_SHOPPERS,
  eventsPerSecond: humanRate(DEFAULT_SHOPPERS),
};

/** Without users, a rate means more shoppers at a human pace; with both, another pace. */
export function planLoad(request: LoadRequest): Load {
  const { rate } = request;
  const shoppers =
    request.users ??
    (rate === undefined
      ? DEFAULT_SHOPPERS
      : Math.max(1, Math.round(rate / HUMAN_EVENTS_PER_SECOND)));
  return { shoppers, eventsPerSecond: rate ?? humanRate(shoppers) };
}

/** Why a request can't work, in words; null when it can. */
export function loadProblem(request: LoadRequest): string | null {
  const { users, rate } = request;
  if (users !== undefined && !(Number.isInteger(users) && users >= 1 && users <= MAX_SHOPPERS)) {
    return `users must be a whole number from 1 to ${MAX_SHOPPERS}`;
  }
  if (rate !== undefined && !(Number.isFinite(rate) && rate > 0)) {
    return 'the rate must be a number of events a second above 0';
  }
  const { shoppers, eventsPerSecond } = planLoad(request);
  if (shoppers > MAX_SHOPPERS) {
    return (
      `${rate} events a second at a human pace take ${shoppers} shoppers, ` +
      `more than ${MAX_SHOPPERS}: give users too, for a faster pace`
    );
  }
  const pace = eventsPerSecond / shoppers;
  if (pace > MAX_EVENTS_PER_SECOND) {
    return (
      `${eventsPerSecond} events a second from ${shoppers} users are ${rounded(pace)} a second each, ` +
      `more than ${MAX_EVENTS_PER_SECOND}: raise the users or lower the rate`
    );
  }
  if (pace < MIN_EVENTS_PER_SECOND) {
    return (
      `${eventsPerSecond} events a second from ${shoppers} users leave fewer than two events ` +
      'to a visit of three minutes: lower the users or raise the rate'
    );
  }
  return null;
}

/** The load for settings; throws `wrong_usage` when they can't work. */
export function loadOf(request: LoadRequest): Load {
  const problem = loadProblem(request);
  if (problem !== null) throw new LullError('wrong_usage', problem);
  return planLoad(request);
}

function humanRate(shoppers: number): number {
  return rounded(shoppers * HUMAN_EVENTS_PER_SECOND);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
