/** `lull simulate`: the shoppers' events to a file, a stream, or a running system. */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { LullError } from '../../errors.ts';
import type { Clock } from '../../ops/clock.ts';
import { type Load, type LoadRequest, loadOf } from './load.ts';
import { RealTimeShoppers, TICK_MS, takeBefore } from './real-time.ts';
import { Sender, type Target } from './send.ts';
import { CSV_HEADER, eventCsv, eventJson } from './shop-event.ts';
import { type SentEvent, Shoppers } from './shoppers.ts';

export interface SimulateOptions extends LoadRequest {
  readonly clock: Clock;
  readonly seed: number;
  /**
   * When the events begin. To a file or stream always the same time unless given, so that a seed
   * gives the same bytes; to a system it is now, in real time, or a time in the past, from which
   * events are sent as fast as they are taken.
   */
  readonly fromMs?: number | undefined;
  /**
   * To a file or stream a day, unless `events` are given; to a system up to now when it begins in
   * the past, else without end.
   */
  readonly durationMs?: number | undefined;
  /** At most so many. */
  readonly events?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SimulateProgress) => void) | undefined;
}

export interface SimulateProgress {
  readonly events: number;
  /** Time of the last one; null before it. */
  readonly reachedMs: number | null;
  /** What the system makes us wait for; null when it doesn't. */
  readonly waitsFor: string | null;
}

export interface SimulateTotals {
  readonly events: number;
  /** Refused by the system, one by one. */
  readonly rejected: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

export type EventFormat = 'ndjson' | 'csv';

const DEFAULT_FROM_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const CHUNK_EVENTS = 500;
/** About 1 MB. */
const REQUEST_EVENTS = 5000;

/** Format by the file's ending: `.csv`, `.ndjson`, `.jsonl`, each also with `.gz`. */
export async function simulateToFile(
  path: string,
  options: SimulateOptions,
): Promise<SimulateTotals> {
  const ending = /\.(csv|ndjson|jsonl)(\.gz)?$/i.exec(path);
  if (ending === null) {
    throw new LullError('wrong_usage', `${path} ends in neither .csv nor .ndjson (or .gz)`);
  }
  const format = ending[1]!.toLowerCase() === 'csv' ? 'csv' : 'ndjson';
  const tally = new Tally(options);
  const source = textOf(format, simulatedPast(options), tally);
  try {
    const file = createWriteStream(path);
    await (ending[2] === undefined ? pipeline(source, file) : pipeline(source, createGzip(), file));
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    const hint = 'choose a file that you may write, on a disk with room';
    throw new LullError('data_unwritable', `can't write ${path}: ${error.message}`, {
      cause: error,
      hint,
    });
  }
  return tally.totals();
}

/** Ends quietly when the reader goes away. */
export async function simulateToStream(
  stream: Writable,
  format: EventFormat,
  options: SimulateOptions,
): Promise<SimulateTotals> {
  const tally = new Tally(options);
  try {
    await pipeline(textOf(format, simulatedPast(options), tally), stream, { end: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
  return tally.totals();
}

/** Rejects with `target_unavailable` and `target_refused`. */
export async function simulateToSystem(
  target: Target,
  options: SimulateOptions,
): Promise<SimulateTotals> {
  const { clock, signal } = options;
  const load = loadOf(options);
  if (options.fromMs !== undefined && options.fromMs > clock.nowMs()) {
    throw new LullError('wrong_usage', "events for a running system can't begin in the future");
  }
  const tally = new Tally(options);
  const sender = new Sender(target, clock, (reason) => tally.wait(reason), signal);
  for await (const batch of dueBatches(options, load)) {
    const taken = batch.slice(0, tally.left());
    const receipt = await sender.send(taken.map(({ event }) => `${eventJson(event)}\n`).join(''));
    if (receipt === null) break;
    tally.add(taken, receipt.rejected);
    if (tally.left() === 0) break;
  }
  return tally.totals();
}

/** First the past as fast as it is taken, then, if there is more to come, in real time. */
async function* dueBatches(options: SimulateOptions, load: Load): AsyncGenerator<SentEvent[]> {
  const { clock, seed, fromMs, durationMs, signal } = options;
  const startMs = fromMs ?? clock.nowMs();
  const endMs =
    durationMs !== undefined
      ? startMs + durationMs
      : fromMs === undefined
        ? Number.POSITIVE_INFINITY
        : clock.nowMs();
  const shoppers = new Shoppers(seed, startMs, load);
  let doneMs = startMs;
  while (!signal?.aborted) {
    const untilMs = Math.min(endMs, clock.nowMs());
    const batch = takeBefore(shoppers, untilMs, REQUEST_EVENTS);
    if (batch.length > 0) yield batch;
    doneMs = untilMs;
    if (batch.length < REQUEST_EVENTS) break;
  }
  const realTime = new RealTimeShoppers(clock, seed, load, { shoppers, doneMs });
  while (realTime.doneMs < endMs && !signal?.aborted) {
    await clock.sleep(TICK_MS, signal);
    const batch = realTime.take(REQUEST_EVENTS, endMs);
    if (batch.length > 0) yield batch;
  }
}

/** Events of a time that nobody waits for. */
function* simulatedPast(options: SimulateOptions): Generator<SentEvent[]> {
  const { seed, fromMs = DEFAULT_FROM_MS, events, signal } = options;
  const shoppers = new Shoppers(seed, fromMs, loadOf(options));
  const durationMs = options.durationMs ?? (events === undefined ? DAY_MS : Infinity);
  for (;;) {
    const batch = takeBefore(shoppers, fromMs + durationMs, CHUNK_EVENTS);
    if (batch.length > 0) yield batch;
    if (batch.length < CHUNK_EVENTS || signal?.aborted) return;
  }
}

async function* textOf(
  format: EventFormat,
  batches: Iterable<SentEvent[]>,
  tally: Tally,
): AsyncGenerator<string> {
  const line = format === 'csv' ? eventCsv : eventJson;
  if (format === 'csv') yield `${CSV_HEADER}\n`;
  for (const batch of batches) {
    const taken = batch.slice(0, tally.left());
    let text = '';
    for (const { event } of taken) text += `${line(event)}\n`;
    yield text;
    tally.add(taken, 0);
    if (tally.left() === 0) return;
  }
}

/** Counts what has been handed over, and tells whoever wants to know. */
class Tally {
  readonly #limit: number;
  readonly #onProgress: ((progress: SimulateProgress) => void) | undefined;
  #events = 0;
  #rejected = 0;
  #firstMs: number | null = null;
  #lastMs: number | null = null;

  constructor(options: SimulateOptions) {
    this.#limit = options.events ?? Number.POSITIVE_INFINITY;
    this.#onProgress = options.onProgress;
  }

  left(): number {
    return this.#limit - this.#events;
  }

  add(batch: readonly SentEvent[], rejected: number): void {
    this.#events += batch.length;
    this.#rejected += rejected;
    this.#firstMs ??= batch[0]?.sentMs ?? null;
    this.#lastMs = batch.at(-1)?.sentMs ?? this.#lastMs;
    this.#onProgress?.({ events: this.#events, reachedMs: this.#lastMs, waitsFor: null });
  }

  wait(reason: string): void {
    this.#onProgress?.({ events: this.#events, reachedMs: this.#lastMs, waitsFor: reason });
  }

  totals(): SimulateTotals {
    return {
      events: this.#events,
      rejected: this.#rejected,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
    };
  }
}
