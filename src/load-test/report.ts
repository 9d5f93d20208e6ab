/** What a load test found, line by line, each judged by what is promised. */
import { counted, sized } from '../ops/report.ts';
import type { LoadPlan } from './load.ts';
import type { LoadTestResult } from './load-test.ts';
import type { Durations } from './probes.ts';

export interface Line {
  readonly name: string;
  readonly text: string;
  /** Null where nothing is promised. */
  readonly isGood: boolean | null;
  /** Whether it is about right and wrong, which no slow machine excuses. */
  readonly isAboutData: boolean;
}

/** Of the rate that was asked for. */
const RATE_SHARE = 0.99;
/** Milliseconds that 95 of 100 answers must stay under. */
const ANSWER_BOUND_MS: Readonly<Record<string, number>> = {
  '/api/sessions/active/:userId': 5,
  '/state/:userId': 20,
};
const MEMORY_BOUND_BYTES = 4e9;

export function linesOf(result: LoadTestResult, plan: LoadPlan): Line[] {
  const { queries, residentBytes } = result;
  return [
    rateLine(result, plan),
    ...dataLines(result),
    visibleLine(result),
    ...[...queries.byRoute].map(([route, durations]) => queryLine(route, durations)),
    {
      name: 'resident memory',
      text: residentBytes === 0 ? 'not told' : `${sized(residentBytes)} (under 4 GB)`,
      isGood: residentBytes < MEMORY_BOUND_BYTES,
      isAboutData: false,
    },
  ];
}

function rateLine({ load }: LoadTestResult, { eventsPerSecond, holdMs }: LoadPlan): Line {
  const perSecond = (load.heldCount * 1000) / Math.max(load.heldMs, holdMs);
  const asked = `${counted(eventsPerSecond)} asked`;
  return {
    name: 'accepted',
    text: `${counted(Math.round(perSecond))} events/s (${asked})`,
    isGood: perSecond >= eventsPerSecond * RATE_SHARE,
    isAboutData: false,
  };
}

function dataLines({ load, visibility, queries, lost, surplus }: LoadTestResult): Line[] {
  const errors = [...load.errors, ...queries.errors];
  if (visibility.errors > 0) errors.push(['probes refused', visibility.errors]);
  const told = errors.map(([what, count]) => `${count} x ${what}`).join(', ');
  const { acceptedCount } = load;
  return [
    {
      name: 'errors',
      text: errors.length === 0 ? `none in ${counted(load.requests)} requests` : told,
      isGood: errors.length === 0,
      isAboutData: true,
    },
    {
      name: 'events',
      text: `${counted(acceptedCount)} accepted, ${lost} lost, ${surplus} too many`,
      isGood: acceptedCount > 0 && lost === 0 && surplus === 0,
      isAboutData: true,
    },
  ];
}

function visibleLine({ visibility: { durations, unseen } }: LoadTestResult): Line {
  return {
    name: 'from POST to visible',
    text: `${percentiles(durations)}; ${unseen} unseen`,
    isGood: durations.count > 0 && unseen === 0,
    isAboutData: true,
  };
}

function queryLine(route: string, durations: Durations): Line {
  const boundMs = ANSWER_BOUND_MS[route];
  const bound = boundMs === undefined ? '' : ` (p95 under ${boundMs} ms)`;
  const isAsked = durations.count > 0;
  return {
    name: route,
    text: isAsked ? `${percentiles(durations)}${bound}` : 'not asked: nothing answers it',
    isGood: isAsked && boundMs !== undefined ? durations.percentile(95) < boundMs : null,
    isAboutData: false,
  };
}

function percentiles(durations: Durations): string {
  const [p50, p95, p99] = [50, 95, 99].map((percent) => durations.percentile(percent).toFixed(1));
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`;
}
