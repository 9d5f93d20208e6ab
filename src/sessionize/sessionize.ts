/** `lull sessionize`: sessions from files, in the order of events or of their arrival. */
import { availableParallelism } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../ops/clock.ts';
import { counted, Report, sized } from '../ops/report.ts';
import { ArrivalOrder } from './arrival-order.ts';
import type { Block } from './blocks.ts';
import type { LeftOut } from './decoder.ts';
import type { InputPlan } from './input.ts';
import { type BlockTaker, readInputs, totalBytes } from './inputs.ts';
import {
  checkOptions,
  type OutputFormat,
  outputFormatOf,
  type SessionizeOptions,
} from './options.ts';
import { Rejects } from './rejects.ts';
import { CSV_HEADER } from './session-csv.ts';
import { InlineShard, type Shards, ThreadedShards } from './shards.ts';
import { Gatherer, Sink } from './sink.ts';

/** The world around a run. */
export interface SessionizeIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly clock: Clock;
}

export interface Totals {
  readonly events: number;
  readonly sessions: number;
  readonly rejected: number;
}

/** Inputs below this are read in this thread: starting others would take longer. */
const INLINE_BYTES = 8e6;
const MAX_THREADS = 8;

/**
 * Reads the files and writes their sessions; standard output gets records only. Rejects with a
 * LullError: `wrong_usage`, `input_unreadable`, `output_unwritable` or `disk_full`.
 */
export async function runSessionize(options: SessionizeOptions, io: SessionizeIo): Promise<Totals> {
  checkOptions(options);
  // Before anything is written: whether all the files are there.
  totalBytes(options.files);
  const report = new Report(io.stderr, io.clock);
  const rejectsSink = options.rejects === null ? null : Sink.file(options.rejects);
  const sink = options.out === null ? Sink.standardOutput(io.stdout) : Sink.file(options.out);
  try {
    const run: Running = { options, io, report, sink, rejects: new Rejects(rejectsSink) };
    const totals = await (options.order === 'event' ? inEventOrder(run) : inArrivalOrder(run));
    await run.rejects.written();
    await rejectsSink?.end();
    await sink.end();
    for (const line of run.rejects.summary()) report.line(line);
    return totals;
  } catch (error) {
    await Promise.all([sink.abort(), rejectsSink?.abort()]);
    throw error;
  }
}

interface Running {
  readonly options: SessionizeOptions;
  readonly io: SessionizeIo;
  readonly report: Report;
  readonly sink: Sink;
  readonly rejects: Rejects;
}

async function inEventOrder({ options, io, report, sink, rejects }: Running): Promise<Totals> {
  const format = outputFormatOf(options.out);
  const shards = openShards(options, format);
  try {
    await readInputs(options, io.stdin, report, new ShardFeeder(shards, rejects), true);
    const clockMs = Math.max(...(await shards.summaries()).map((summary) => summary.clockMs));
    const gatherer = new Gatherer(sink);
    if (format === 'csv') await gatherer.write(Buffer.from(CSV_HEADER));
    let writtenBytes = 0;
    for await (const piece of shards.output(clockMs)) {
      if (!(await gatherer.write(piece))) break;
      writtenBytes += piece.length;
      report.progress(() => `${sized(writtenBytes)} of sessions written`);
    }
    await gatherer.flush();
    const after = await shards.summaries();
    reportLeftOut(
      report,
      after.flatMap((summary) => summary.leftOut),
    );
    const events = sum(after.map((summary) => summary.events));
    const sessions = sum(after.map((summary) => summary.sessions));
    report.line(`${counted(events)} events, ${counted(sessions)} sessions${took(report)}`);
    return { events, sessions, rejected: rejects.count };
  } finally {
    await shards.close();
  }
}

function openShards(options: SessionizeOptions, format: OutputFormat): Shards {
  const threads = options.threads ?? Math.min(availableParallelism(), MAX_THREADS);
  const shardOptions = { ...options, format };
  if (threads === 1 || totalBytes(options.files) < INLINE_BYTES) {
    return new InlineShard(shardOptions);
  }
  return new ThreadedShards(shardOptions, threads);
}

/** Hands blocks on to the shards, and what they reject to the rejects. */
class ShardFeeder implements BlockTaker {
  readonly #shards: Shards;
  readonly #rejects: Rejects;
  #file = '';

  constructor(shards: Shards, rejects: Rejects) {
    this.#shards = shards;
    this.#rejects = rejects;
  }

  input(plan: InputPlan): void {
    this.#file = plan.name;
    this.#shards.input(plan);
  }

  buffer(): Promise<Uint8Array> {
    return this.#shards.buffer();
  }

  async block(block: Block): Promise<boolean> {
    const file = this.#file;
    this.#shards.block(block, (rejects) => this.#rejects.add(file, rejects));
    await this.#rejects.written();
    return true;
  }
}

async function inArrivalOrder({ options, io, report, sink, rejects }: Running): Promise<Totals> {
  const arrival = new ArrivalOrder(options, sink, rejects);
  await readInputs(options, io.stdin, report, arrival, false);
  await arrival.end();
  reportLeftOut(report, arrival.leftOut);
  const { events, sessions, late, duplicates } = arrival;
  const what = `${counted(events)} events: ${counted(late)} too late, ${counted(duplicates)} twice`;
  report.line(`${what}; sessions told ${counted(sessions)} times${took(report)}`);
  return { events, sessions, rejected: rejects.count };
}

/** Values that were left out of events, by role; shards count each on its own. */
function reportLeftOut(report: Report, leftOut: readonly LeftOut[]): void {
  for (const role of new Set(leftOut.map((one) => one.role))) {
    const same = leftOut.filter((one) => one.role === role);
    const count = sum(same.map((one) => one.count));
    const first = same.reduce((one, other) => (other.line < one.line ? other : one));
    const example = `${first.file}:${first.line}: ${first.text.slice(0, 40)}`;
    const what = count === 1 ? 'event counts without its' : 'events count without their';
    report.line(`${counted(count)} ${what} ${role}; the first: ${example}`);
  }
}

function took(report: Report): string {
  return `, in ${report.elapsedSeconds.toFixed(1)} s`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
