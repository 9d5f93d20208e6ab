/** From the local time of an IANA time zone to UTC, with rules for the hours that clocks change. */
import { LullError } from '../errors.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Local time, as if it were UTC, in epoch milliseconds -> UTC, epoch milliseconds. */
export type ToUtc = (localMs: number) => number;

/**
 * A local time that comes twice (clocks set back) is taken for the first of the two; one that
 * never comes (clocks set forward) for as much after the change as it says: what Temporal calls
 * `compatible`. Null when there is nothing to convert: the zone is UTC.
 */
export function zoneToUtc(timeZone: string): ToUtc | null {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch {
    throw new LullError('wrong_usage', `there is no time zone ${timeZone}`, {
      hint: 'use a name such as UTC, Europe/Berlin or America/New_York',
    });
  }
  if (format.resolvedOptions().timeZone === 'UTC') return null;
  const offsetAt = (utcMs: number) => {
    const name = format.formatToParts(utcMs).find((part) => part.type === 'timeZoneName')!.value;
    return parseOffset(name);
  };
  const toUtc = (localMs: number) => {
    // A day before and after lie on the two sides of a change, if there is one near.
    const before = localMs - offsetAt(localMs - DAY_MS);
    const after = localMs - offsetAt(localMs + DAY_MS);
    if (before === after || localMs - before === offsetAt(before)) return before;
    return localMs - after === offsetAt(after) ? after : before;
  };
  return byHour(toUtc);
}

/** Remembers the hours in which the offset doesn't change: nearly all. */
function byHour(toUtc: ToUtc): ToUtc {
  const MAX_HOURS = 100_000;
  const offsets = new Map<number, number | null>();
  let lastHour = Number.NaN;
  let lastOffset = 0;
  return (localMs) => {
    const hour = Math.floor(localMs / HOUR_MS);
    if (hour === lastHour) return localMs - lastOffset;
    let offset = offsets.get(hour);
    if (offset === undefined) {
      const start = hour * HOUR_MS;
      const atStart = start - toUtc(start);
      offset = atStart === start + HOUR_MS - 1 - toUtc(start + HOUR_MS - 1) ? atStart : null;
      if (offsets.size < MAX_HOURS) offsets.set(hour, offset);
    }
    if (offset === null) return toUtc(localMs);
    lastHour = hour;
    lastOffset = offset;
    return localMs - offset;
  };
}

/** `GMT`, `GMT+02:00`, `GMT-03:30:52` -> milliseconds east of UTC. */
function parseOffset(name: string): number {
  const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(name);
  if (match === null) throw new Error(`unknown offset ${name}`);
  const seconds = Number(match[2] ?? 0) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -seconds : seconds) * 1000;
}
