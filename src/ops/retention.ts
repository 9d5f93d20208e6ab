/**
 * Keeps what grows within its bounds: events by age and size, sessions by size; what is safe only.
 */
import type { SessionDefinition } from '../core/definition.ts';
import { LullError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { Topic } from '../log/log.ts';
import type { StateStore } from '../state/state.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** What takes room on the disk. */
export interface Stored {
  readonly events: Pick<Topic, 'partitionCount' | 'sizeBytes' | 'offsetAt' | 'release'>;
  readonly store: Pick<StateStore, 'sync' | 'sizeBytes' | 'topic' | 'releaseOutputs'>;
  readonly history: Pick<History, 'expire' | 'sizeBytes'>;
}

export interface RetentionOptions extends Stored {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly definition: SessionDefinition;
  /** How long events are kept once nothing can change their session any more. */
  readonly retainEventsMs: number;
  readonly maxDiskBytes: number;
}

export interface Retention {
  /** Why it can't keep the bounds at present; null when all is well. */
  problem(): string | null;
  stop(): Promise<void>;
}

const INTERVAL_MS = 20_000;
/** Sessions that go at least when the bound is reached. */
const EXPIRE_SESSIONS = 10_000;
/** A session takes more than that in history. */
const MIN_SESSION_BYTES = 500;
/** Nothing reads them yet but people; they are kept as long as events. */
const REFUSED_TOPICS = ['late-events', 'rejected-events'] as const;

export function startRetention(options: RetentionOptions): Retention {
  const { clock, logger, metrics } = options;
  const stopping = new AbortController();
  const keeper = new BoundsKeeper(options);
  let problem: string | null = null;
  let bytes = 0;
  metrics.queue('disk_bytes', options.maxDiskBytes, () => bytes);
  const expired = metrics.counter(
    'lull_sessions_expired_early_total',
    'Sessions that went from history before their time, at the bound of the disk.',
  );

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        expired.inc(await keeper.keep());
        bytes = await diskBytes(options);
        problem = null;
      } catch (error) {
        if (problem === null) logger.error({ err: error }, 'data can not be kept in bounds');
        problem = error instanceof LullError ? error.message : String(error);
      }
      await clock.sleep(INTERVAL_MS, stopping.signal);
    }
  }

  const ended = run();
  return {
    problem: () => problem,
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}

/** Bytes that everything kept takes now. */
export async function diskBytes({ events, store, history }: Stored): Promise<number> {
  return events.sizeBytes() + (await store.sizeBytes()) + (await history.sizeBytes());
}

/** What may go, one look at a time. */
export class BoundsKeeper {
  readonly #options: Omit<RetentionOptions, 'metrics'>;
  /** History's size when sessions were last made to go, or at the first look. */
  #historyBytes: number | null = null;

  constructor(options: Omit<RetentionOptions, 'metrics'>) {
    this.#options = options;
  }

  /** Lets go of what is too old or too much; the number of sessions that went early. */
  async keep(): Promise<number> {
    const { history, logger, maxDiskBytes } = this.#options;
    this.#historyBytes ??= await history.sizeBytes();
    const wasOver = (await diskBytes(this.#options)) > maxDiskBytes;
    await this.#releaseEvents(wasOver);
    await this.#releaseRefused(wasOver);
    const bytes = wasOver ? await diskBytes(this.#options) : 0;
    if (bytes <= maxDiskBytes) return 0;
    // What is deleted leaves room inside history's files, which don't shrink: as long as they
    // don't grow, that room serves, and nothing more has to go.
    const historyBytes = await history.sizeBytes();
    const grownBytes = historyBytes - this.#historyBytes;
    if (grownBytes <= 0) return 0;
    this.#historyBytes = historyBytes;
    const most = Math.max(EXPIRE_SESSIONS, Math.ceil(grownBytes / MIN_SESSION_BYTES));
    const sessions = await history.expire(this.#options.clock.nowMs(), most);
    logger.warn({ bytes, maxDiskBytes, sessions }, 'disk bound reached: oldest sessions let go');
    return sessions;
  }

  /** By age; all that the state holds for good when there is too much. */
  async #releaseEvents(isOver: boolean): Promise<void> {
    const { events, store, definition, clock, retainEventsMs } = this.#options;
    const { gapMs, tiersMs } = definition;
    const oldestMs = clock.nowMs() - retainEventsMs - gapMs - tiersMs.at(-1)!;
    // What the state holds for good need not be read again: only that may go.
    const safe = await store.sync();
    const offsets: number[] = [];
    for (let partition = 0; partition < events.partitionCount; partition++) {
      const safeOffset = safe.get(partition) ?? 0;
      const byAge = isOver ? safeOffset : await events.offsetAt(partition, oldestMs);
      offsets.push(Math.min(safeOffset, byAge));
    }
    await events.release(offsets);
  }

  /** Copies of events that came too late or were refused. */
  async #releaseRefused(isOver: boolean): Promise<void> {
    const { store, clock, retainEventsMs } = this.#options;
    const oldestMs = clock.nowMs() - retainEventsMs;
    for (const name of REFUSED_TOPICS) {
      const topic = store.topic(name);
      const offsets: number[] = [];
      for (let partition = 0; partition < topic.partitionCount; partition++) {
        offsets.push(
          isOver ? topic.endOffset(partition) : await topic.offsetAt(partition, oldestMs),
        );
      }
      await store.releaseOutputs(name, offsets);
    }
  }
}
