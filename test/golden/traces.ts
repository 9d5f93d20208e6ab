/** Reads traces: tables in Markdown in which a person can follow what a partition does. */
import { readFileSync } from 'node:fs';
import {
  DEFAULT_DEFINITION,
  parseDuration,
  type SessionDefinition,
} from '../../src/core/definition.ts';
import type { Placed } from '../simulate/oracle-figures.ts';
import { makeEvent } from '../support/make-event.ts';

export interface TraceRow {
  readonly line: number;
  readonly step: 'event' | 'silence' | 'restart';
  readonly id: string;
  readonly placed: Placed | null;
  /** Where the sending clock goes in a silence. */
  readonly untilMs: number;
  readonly fate: string;
  /** What is sent, as written, in alphabetical order. */
  readonly sent: readonly string[];
}

export interface Trace {
  readonly name: string;
  readonly definition: SessionDefinition;
  readonly rows: readonly TraceRow[];
}

/** A point in time well after 1970, so that nothing hangs on a time of 0. */
const ZERO_MS = Date.UTC(2026, 0, 1);

export function readTraces(file: string): Trace[] {
  const lines = readFileSync(new URL(`traces/${file}`, import.meta.url), 'utf8').split('\n');
  const traces: Trace[] = [];
  let rows: TraceRow[] = [];
  for (const [index, text] of lines.entries()) {
    if (text.startsWith('## ')) {
      rows = [];
      traces.push({ name: text.slice(3), definition: DEFAULT_DEFINITION, rows });
    } else if (traces.length > 0 && /^\| (?!id |-)/.test(text)) {
      rows.push(parseRow(text, index + 1, rows.length));
    } else if (traces.length > 0 && /^(gap|tiers|at most) /.test(text)) {
      const trace = traces.pop()!;
      traces.push({ ...trace, definition: parseDefinition(text) });
    }
  }
  return traces;
}

/** `gap 5ms, tiers 0ms 1h, at most 1h, at most 3 events` */
function parseDefinition(text: string): SessionDefinition {
  let definition = DEFAULT_DEFINITION;
  for (const part of text.split(', ')) {
    const events = /^at most (\d+) events$/.exec(part);
    if (events !== null) definition = { ...definition, maxEvents: Number(events[1]) };
    else {
      const [, name, value] = /^(gap|tiers|at most) (.+)$/.exec(part)!;
      const durationsMs = value!.split(' ').map((duration) => parseDuration(duration)!);
      if (name === 'gap') definition = { ...definition, gapMs: durationsMs[0]! };
      else if (name === 'tiers') definition = { ...definition, tiersMs: durationsMs };
      else definition = { ...definition, maxDurationMs: durationsMs[0]! };
    }
  }
  return definition;
}

function parseRow(text: string, line: number, offset: number): TraceRow {
  const cells = text.split('|').map((cell) => cell.trim());
  const [, id, userId, eventType, time, arrival, fate, sent] = cells as string[];
  const step = id === '(silence)' ? 'silence' : id === '(restart)' ? 'restart' : 'event';
  const timestamp = step === 'restart' ? 0 : parseClock(time!);
  const event = makeEvent({
    id: id!,
    userId: userId!,
    timestamp,
    ...(eventType === '' ? {} : { eventType: eventType! }),
  });
  const arrivalMs = arrival === '' ? null : parseClock(arrival!);
  return {
    line,
    step,
    id: id!,
    placed: step === 'event' ? { event, offset, arrivalMs } : null,
    untilMs: timestamp,
    fate: fate!,
    sent: sent === '' ? [] : sent!.split('; ').sort(),
  };
}

/** `1:05:00.001`, hours from zero, to epoch milliseconds. */
function parseClock(text: string): number {
  const match = /^(\d+):(\d\d):(\d\d)(?:\.(\d{3}))?$/.exec(text);
  if (match === null) throw new Error(`not a time in a trace: ${text}`);
  const [hours, minutes, seconds, millis] = match.slice(1).map((part) => Number(part ?? 0));
  return ZERO_MS + ((hours! * 60 + minutes!) * 60 + seconds!) * 1000 + millis!;
}

/** Epoch milliseconds as the tables write them. */
export function clockText(timeMs: number): string {
  const sinceMs = timeMs - ZERO_MS;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const hours = Math.floor(sinceMs / 3_600_000);
  const millis = sinceMs % 1000;
  const fraction = millis === 0 ? '' : `.${String(millis).padStart(3, '0')}`;
  return `${hours}:${two((sinceMs / 60_000) % 60)}:${two((sinceMs / 1000) % 60)}${fraction}`;
}
