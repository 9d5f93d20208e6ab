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

export interface RetentionOptions {
  readonly events: Topic;
  readonly store: StateStore;
  readonly history: History;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly definition: SessionDefinition;
  /** How long events are kept once nothing can change their session any more. */
  readonly retainEventsMs: number;
  readonly maxDiskBytes: number;
}

export interface Retention {
  /** Bytes on disk when it last looked. */
  diskBytes(): number;
  /** Sessions that went before their time because the disk's bound was reached. */
  expiredEarly(): number;
  /** Why it can't keep the bounds at present; null when all is well. */
  problem(): string | null;
  stop(): Promise<void>;
}

const INTERVAL_MS = 20_000;
/** Sessions that go at once when the bound is reached. */
const EXPIRE_SESSIONS = 10_000;

export function startRetention(options: RetentionOptions): Retention {
  const stopping = new AbortController();
  const state = { diskBytes: 0, expiredEarly: 0, problem: null as string | null };
  const ended = run(options, state, stopping.signal);
  return {
    diskBytes: () => state.diskBytes,
    expiredEarly: () => state.expiredEarly,
    problem: () => state.problem,
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}

async function run(
  options: RetentionOptions,
  state: { diskBytes: number; expiredEarly: number; problem: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger } = options;
  while (!signal.aborted) {
    try {
      state.diskBytes = await keepBounds(options, (sessions) => {
        state.expiredEarly += sessions;
      });
      state.problem = null;
    } catch (error) {
      const problem = error instanceof LullError ? error.message : String(error);
      if (state.problem === null) logger.error({ err: error }, 'data can not be kept in bounds');
      state.problem = problem;
    }
    await clock.sleep(INTERVAL_MS, signal);
  }
}

/** One look: returns the bytes on disk after it. */
export async function keepBounds(
  options: RetentionOptions,
  onExpiredEarly: (sessions: number) => void,
): Promise<number> {
  const { events, store, history, clock, logger, maxDiskBytes } = options;
  // What the state holds for good need not be read again: only that may go.
  const safe = await store.sync();
  const bytes = events.sizeBytes() + (await store.sizeBytes()) + (await history.sizeBytes());
  const over = bytes > maxDiskBytes;
  const { gapMs, tiersMs } = options.definition;
  const oldest = clock.nowMs() - options.retainEventsMs - gapMs - tiersMs.at(-1)!;
  const offsets: number[] = [];
  for (let partition = 0; partition < events.partitionCount; partition++) {
    const safeOffset = safe.get(partition) ?? 0;
    const byAge = over ? safeOffset : await events.offsetAt(partition, oldest);
    offsets.push(Math.min(safeOffset, byAge));
  }
  await events.release(offsets);
  if (!over) return bytes;
  const sessions = await history.expire(clock.nowMs(), EXPIRE_SESSIONS);
  onExpiredEarly(sessions);
  logger.warn({ bytes, maxDiskBytes, sessions }, 'disk bound reached: oldest data let go');
  return events.sizeBytes() + (await store.sizeBytes()) + (await history.sizeBytes());
}
