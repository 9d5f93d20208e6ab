/** The event-producer: writes the shoppers' events to the log, first those of the past. */
import { partitionOf } from '../../core/hash.ts';
import { LullError } from '../../errors.ts';
import type { Topic } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import { DEFAULT_LOAD, type Load, loadOf, loadProblem, planLoad } from './load.ts';
import { RealTimeShoppers, TICK_MS, takeBefore } from './real-time.ts';
import { resumeFromMs } from './resume.ts';
import { eventJson } from './shop-event.ts';
import { type SentEvent, Shoppers } from './shoppers.ts';

export interface EventProducerOptions {
  readonly topic: Topic;
  readonly clock: Clock;
  /** The same seed and start give the same events. */
  readonly seed: number;
  /** Shoppers at any time; without it, as many as the rate takes at a human pace. */
  readonly users?: number | undefined;
  /** Events a second in total. */
  readonly rate?: number | undefined;
  /** How far back a new log is filled; 0 = not at all. */
  readonly backfillMs: number;
  readonly onBackfill?: ((progress: BackfillProgress) => void) | undefined;
}

export interface BackfillProgress {
  /** Time filled so far, and in total. */
  readonly doneMs: number;
  readonly totalMs: number;
  readonly events: number;
}

export interface RateStatus {
  readonly eventsPerSecond: number;
  readonly shoppers: number;
}

export interface EventProducer {
  /**
   * Resolves with the number of its events once the back-fill is durable, or as far as it came
   * when it is stopped; 0 when none was due.
   */
  readonly backfilled: Promise<number>;
  /** Resolves when nothing more will be written; rejects with what ended it, unless stopped. */
  readonly ended: Promise<void>;
  /** Events written in real time and by the back-fill. */
  counts(): { readonly sent: number; readonly backfilled: number };
  /** Why nothing can be written at present; null when all is well. */
  problem(): string | null;
  rate(): RateStatus;
  /** Throws `invalid_parameter` when the users can't make that many. */
  setRate(eventsPerSecond: number): RateStatus;
  /** Resolves when everything written is durable. */
  stop(): Promise<void>;
}

/** Throws `wrong_usage` when the load can't work. */
export function startEventProducer(options: EventProducerOptions): EventProducer {
  return new Runner(options, loadOf(options));
}

const BATCH = 4000;
const RETRY_MS = 1000;
const WAITS_FOR: ReadonlySet<string> = new Set(['log_full', 'disk_full', 'log_unavailable']);

class Runner implements EventProducer {
  readonly backfilled: Promise<number>;
  readonly ended: Promise<void>;
  readonly #options: EventProducerOptions;
  readonly #stopping = new AbortController();
  #load: Load;
  #realTime: RealTimeShoppers | null = null;
  #sent = 0;
  #backfilled = 0;
  #problem: string | null = null;

  constructor(options: EventProducerOptions, load: Load) {
    this.#options = options;
    this.#load = load;
    const past = this.#backfill();
    this.backfilled = past.then(() => this.#backfilled);
    this.ended = past.then((before) => this.#goOn(before)).catch((error) => this.#fail(error));
    // Whoever wants to know awaits them.
    this.backfilled.catch(() => {});
    this.ended.catch(() => {});
  }

  counts() {
    return { sent: this.#sent, backfilled: this.#backfilled };
  }

  problem(): string | null {
    return this.#problem;
  }

  rate(): RateStatus {
    return this.#load;
  }

  setRate(eventsPerSecond: number): RateStatus {
    const request = { users: this.#options.users, rate: eventsPerSecond };
    const problem = loadProblem(request);
    if (problem !== null) throw new LullError('invalid_parameter', problem);
    this.#load = planLoad(request);
    this.#realTime?.setLoad(this.#load);
    return this.#load;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.ended.catch(() => {});
  }

  /** Until it has caught up with the present, which moves meanwhile; null when none was due. */
  async #backfill(): Promise<{ shoppers: Shoppers; doneMs: number } | null> {
    const { topic, clock, seed, backfillMs, onBackfill } = this.#options;
    let nowMs = clock.nowMs();
    const fromMs = await resumeFromMs(topic, nowMs, backfillMs);
    if (fromMs >= nowMs) return null;
    const shoppers = new Shoppers(seed, fromMs, usualLoad(this.#load));
    let doneMs = fromMs;
    let writing: Promise<void> = Promise.resolve();
    while (doneMs < nowMs && !this.#stopping.signal.aborted) {
      nowMs = clock.nowMs();
      const batch = takeBefore(shoppers, nowMs, BATCH);
      // The log writes one batch while the next is made.
      await writing;
      writing = this.#write(batch);
      writing.catch(() => {});
      doneMs = batch.length < BATCH ? nowMs : batch[BATCH - 1]!.sentMs;
      this.#backfilled += batch.length;
      onBackfill?.({
        doneMs: doneMs - fromMs,
        totalMs: nowMs - fromMs,
        events: this.#backfilled,
      });
    }
    await writing;
    return { shoppers, doneMs };
  }

  async #goOn(before: { shoppers: Shoppers; doneMs: number } | null): Promise<void> {
    const { clock, seed } = this.#options;
    const realTime = new RealTimeShoppers(clock, seed, this.#load, before);
    this.#realTime = realTime;
    while (!this.#stopping.signal.aborted) {
      const batch = realTime.take(BATCH);
      await this.#write(batch);
      this.#sent += batch.length;
      await clock.sleep(TICK_MS, this.#stopping.signal);
    }
  }

  /** Waits while the log is full, with what could not be written. */
  async #write(batch: readonly SentEvent[]): Promise<void> {
    if (batch.length === 0) return;
    const { topic, clock } = this.#options;
    const records = batch.map(({ event }) => ({
      partition: partitionOf(event.userId, topic.partitionCount),
      key: event.userId,
      value: Buffer.from(eventJson(event)),
    }));
    for (;;) {
      try {
        await topic.append(records);
        this.#problem = null;
        return;
      } catch (error) {
        if (!(error instanceof LullError) || !WAITS_FOR.has(error.code)) throw error;
        this.#problem = error.message;
        await clock.sleep(RETRY_MS, this.#stopping.signal);
        if (this.#stopping.signal.aborted) return;
      }
    }
  }

  #fail(error: unknown): never {
    this.#problem = error instanceof Error ? error.message : String(error);
    throw error;
  }
}

/** The past is a usual day of at most the usual shop, however high the load is now. */
function usualLoad(load: Load): Load {
  return load.eventsPerSecond <= DEFAULT_LOAD.eventsPerSecond ? load : DEFAULT_LOAD;
}
