/** What a session is: the settings that the core decides by. All times are milliseconds. */

export interface SessionDefinition {
  /** Two events of one user at most this far apart belong together. */
  readonly gapMs: number;
  /**
   * Deadlines after `end + gap`, rising. The first is the grace: how long late events are waited
   * for before a session is closed. At each further one a session that changed is sent again;
   * past the last it is settled and forgotten.
   */
  readonly tiersMs: readonly number[];
  /** Longest session from first to last event; 0 = no bound. */
  readonly maxDurationMs: number;
  /** Most events in a session; 0 = no bound. */
  readonly maxEvents: number;
  /** Event types that end a session. */
  readonly endTypes: readonly string[];
  /** An event further past its arrival than this is quarantined. */
  readonly maxFutureMs: number;
  /** How long the event clock must stand before the sending clock runs on with time. */
  readonly idleMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const DEFAULT_DEFINITION: SessionDefinition = Object.freeze({
  gapMs: 30 * MINUTE_MS,
  tiersMs: Object.freeze([5 * MINUTE_MS, HOUR_MS, 24 * HOUR_MS]),
  maxDurationMs: 24 * HOUR_MS,
  maxEvents: 100_000,
  endTypes: Object.freeze(['SESSION_END']),
  maxFutureMs: 5 * MINUTE_MS,
  idleMs: MINUTE_MS,
});

/** What is wrong with a definition, in words; null when it can work. */
export function definitionProblem(definition: SessionDefinition): string | null {
  const { gapMs, tiersMs, maxDurationMs, maxEvents, maxFutureMs, idleMs } = definition;
  if (!isWhole(gapMs) || gapMs < 1) return 'the gap must be at least 1 ms';
  if (tiersMs.length < 1 || tiersMs.length > 8) return 'there must be 1 to 8 tiers';
  for (const [index, tierMs] of tiersMs.entries()) {
    if (!isWhole(tierMs)) return 'a tier must be a whole number of milliseconds, 0 or more';
    if (index > 0 && tierMs <= tiersMs[index - 1]!) return 'tiers must rise: 5m, 1h, 24h';
  }
  if (!isWhole(maxDurationMs)) return 'the longest duration must be 0 (none) or more';
  if (!isWhole(maxEvents)) return 'the most events must be 0 (no bound) or more';
  if (!isWhole(maxFutureMs)) return 'the tolerance for future times must be 0 or more';
  if (!isWhole(idleMs) || idleMs < 1) return 'idle must be at least 1 ms';
  return null;
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A duration as people write it, in the largest unit that fits: 300000 -> `5m`. */
export function durationText(durationMs: number): string {
  for (const [unit, unitMs] of UNITS) {
    if (durationMs >= unitMs && durationMs % unitMs === 0) return `${durationMs / unitMs}${unit}`;
  }
  return `${durationMs}ms`;
}

/** Milliseconds of `5m`, `250ms`, `24h`, `1d`, `0`; null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  if (match === null) return text === '0' ? 0 : null;
  const unitMs = match[2] === 'ms' ? 1 : UNITS.find(([unit]) => unit === match[2])![1];
  const durationMs = Number(match[1]) * unitMs;
  return Number.isSafeInteger(durationMs) ? durationMs : null;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', 1000],
  ['d', 24 * HOUR_MS],
];
