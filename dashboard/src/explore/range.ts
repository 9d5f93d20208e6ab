/** What span of time is looked at, as it stands in the address, and how finely it is cut. */

export const RANGES = [
  ['1h', '1 h', 1],
  ['24h', '24 h', 24],
  ['7d', '7 d', 7 * 24],
  ['30d', '30 d', 30 * 24],
] as const;

export interface Range {
  /** One of RANGES, or `custom`. */
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export type Interval = '5m' | '15m' | '1h' | '6h' | '1d';

const HOUR_MS = 3_600_000;
/** The API answers for twice as many: a span, and the one before it. */
export const MAX_DAYS = 366;

/** The last 24 hours where the address asks for nothing that makes sense. */
export function rangeOf(search: string, nowMs: number): Range {
  const asked = new URLSearchParams(search);
  const fromMs = Date.parse(asked.get('from') ?? '');
  const toMs = Date.parse(asked.get('to') ?? '');
  if (fromMs < toMs && toMs - fromMs <= MAX_DAYS * 24 * HOUR_MS) {
    return { name: 'custom', fromMs, toMs };
  }
  const [name, , hours] = RANGES.find(([one]) => one === asked.get('range')) ?? RANGES[1];
  return { name, fromMs: nowMs - hours * HOUR_MS, toMs: nowMs };
}

export function hoursOf({ fromMs, toMs }: Range): number {
  return (toMs - fromMs) / HOUR_MS;
}

/** For charts: some dozens of points. */
export function intervalOf(range: Range): Interval {
  const hours = hoursOf(range);
  if (hours <= 6) return '5m';
  if (hours <= 3 * 24) return '1h';
  return hours <= 21 * 24 ? '6h' : '1d';
}

/** For sums, of this span and the one before: as fine as one answer allows. */
export function fineIntervalOf(range: Range): Interval {
  const hours = 2 * hoursOf(range);
  if (hours <= 80) return '5m';
  return hours <= 950 ? '1h' : hours <= 5900 ? '6h' : '1d';
}

/** As an input of a date and a time in the reader's zone takes it. */
export function localInput(timeMs: number): string {
  const date = new Date(timeMs);
  return new Date(timeMs - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
