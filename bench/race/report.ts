/** What the race says at its end: a table for people, and one JSON object for programs. */
import type { Cost } from './contender.ts';
import type { Reference } from './reference.ts';
import type { Verdict } from './verdict.ts';

export interface Finished {
  readonly name: 'lull' | 'kafkaStreams';
  readonly label: string;
  readonly cost: Cost;
  readonly verdict: Verdict;
}

export interface Result {
  readonly equal: boolean;
  /** Lull's median over the peer's best. */
  readonly ratio: number;
  readonly eventsPerCpuSecond: Readonly<Record<string, number>>;
  readonly peakRssMb: Readonly<Record<string, number>>;
  readonly brokerCpuSeconds: Readonly<Record<string, number>>;
}

/**
 * Of the sessions, those that the peer may have otherwise: what gives it all of them also lets
 * late events open some of them again.
 */
const PEER_TOLERANCE = 0.0005;

export function isEqual({ name, verdict }: Finished, reference: Reference): boolean {
  const other = Math.max(verdict.missing.length, verdict.wrong.length);
  if (name === 'lull') return other === 0 && verdict.droppedTooMany === 0;
  const tolerated = Math.ceil(reference.closed.length * PEER_TOLERANCE);
  return other <= tolerated && Math.abs(verdict.droppedTooMany) <= tolerated;
}

/** A peer that has lost or doubled sessions doesn't count; when Lull has, nothing does. */
export function resultOf(all: readonly Finished[], events: number, reference: Reference): Result {
  const right = all.filter((finished) => isEqual(finished, reference));
  const isWrong = all.some((each) => each.name === 'lull' && !right.includes(each));
  const rates = by('name', right, ({ cost }) => events / cost.cpuSeconds);
  const own = median(rates.get('lull') ?? []);
  const peer = Math.max(...(rates.get('kafkaStreams') ?? []));
  const medians = (pick: (finished: Finished) => number) => {
    const values = [...by('name', right, pick)];
    return Object.fromEntries(values.map(([name, own]) => [name, round(median(own))]));
  };
  return {
    equal: !isWrong && rates.has('kafkaStreams'),
    ratio: round(own / peer),
    eventsPerCpuSecond: { lull: Math.round(own), kafkaStreams: Math.round(peer) },
    peakRssMb: medians(({ cost }) => cost.peakBytes / 1e6),
    brokerCpuSeconds: medians(({ cost }) => cost.brokerCpuSeconds),
  };
}

export function tableOf(all: readonly Finished[], events: number): string {
  const columns: [string, (finished: Finished) => number][] = [
    ['events per CPU second', ({ cost }) => events / cost.cpuSeconds],
    ['events a second', ({ cost }) => events / cost.wallSeconds],
    ['CPU seconds', ({ cost }) => cost.cpuSeconds],
    ["broker's CPU seconds", ({ cost }) => cost.brokerCpuSeconds],
    ['peak resident, MB', ({ cost }) => cost.peakBytes / 1e6],
    ['CPU seconds of the start', ({ cost }) => cost.startUpCpuSeconds],
    ['sessions missing', ({ verdict }) => verdict.missing.length],
    ['sessions wrong', ({ verdict }) => verdict.wrong.length],
    ['late events too many', ({ verdict }) => verdict.droppedTooMany],
  ];
  const labels = [...new Set(all.map(({ label }) => label))];
  const lines = columns.map(([title, pick]) => {
    const values = by('label', all, pick);
    return [title, ...labels.map((label) => spread(values.get(label)!))];
  });
  const rows = [['min / median / max', ...labels], ...lines];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function spread(values: readonly number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)].map(plain).join(' / ');
}

function plain(value: number): string {
  return String(Math.abs(value) < 100 ? round(value) : Math.round(value));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function by(
  key: 'name' | 'label',
  all: readonly Finished[],
  pick: (finished: Finished) => number,
): Map<string, number[]> {
  const groups = Map.groupBy(all, (finished) => finished[key]);
  return new Map([...groups].map(([name, own]) => [name, own.map(pick)]));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)]! + sorted[Math.ceil(last / 2)]!) / 2;
}
