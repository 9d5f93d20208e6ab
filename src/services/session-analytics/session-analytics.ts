/** session-analytics: brings the `sessions` topic into history, each record's effect once. */
import type { History, HistoryPosition } from '../../history/history.ts';
import type { TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HealthPart } from '../../ops/health.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { Outage } from '../../ops/outage.ts';
import { type AnalyticsMetrics, analyticsMetrics } from './analytics-metrics.ts';
import { type Batch, BatchReader, type Offsets } from './batch-reader.ts';
import { Expiry } from './expiry.ts';

export interface SessionAnalyticsOptions {
  /** The `sessions` topic: JSON of sent records. */
  readonly topic: TopicReader;
  readonly history: History;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Sessions that ended longer ago than this are deleted, by who has partition 0. */
  readonly retainSessionsMs: number;
  /**
   * Makes what can be read of the topic survive a power loss. Called before a batch is applied,
   * so that history never knows what the topic may forget.
   */
  readonly sync?: () => Promise<unknown>;
  /** Lets go of the topic's records below these offsets, by partition: they are in history. */
  readonly release?: (offsets: readonly number[]) => Promise<void>;
}

export interface SessionAnalytics {
  /**
   * Reads these partitions from now on, and no others, from where history stands. A batch of
   * before may still be applied: who reads the same records meanwhile loses nothing by it.
   */
  assign(partitions: readonly number[]): void;
  /** Whether every record that the assigned partitions hold now is in history; false before. */
  caughtUp(): boolean;
  /** Resolves when every record that the assigned partitions hold now is, or with `close`. */
  waitApplied(): Promise<void>;
  health(): HealthPart;
  /** After the batch under way; what it hasn't applied is read again by the next start. */
  close(): Promise<void>;
}

/** Little is gathered for so long, so that a trickle doesn't cost a transaction a record. */
const GATHER_MS = 400;
/** How often one that doesn't expire sessions wakes without need. */
const IDLE_MS = 60_000;
/** How often, and how long apart, a topic is asked that seems to have lost records. */
const END_LOOKS = 50;
const END_LOOK_MS = 100;
/** Sessions expire where this partition is. */
const EXPIRING_PARTITION = 0;

/** Reads nothing before partitions are assigned. */
export function startSessionAnalytics(options: SessionAnalyticsOptions): SessionAnalytics {
  const loop = new AnalyticsLoop(options);
  const ended = loop.run();
  return {
    assign: (partitions) => loop.assign(partitions),
    caughtUp: () => loop.caughtUp(),
    waitApplied: () => loop.waitApplied(),
    health: () => loop.health(),
    close: () => {
      loop.stop();
      return ended;
    },
  };
}

/** From one `assign` to the next. */
interface Assignment {
  /** Where its partitions ended at first: a stored position past it is of records now lost. */
  readonly ends: Offsets;
  /** Offset of the first record not yet in history; null before history was asked. */
  next: Offsets | null;
  /** The batch after the one that is being applied. */
  ahead: Promise<Batch> | null;
  /** Resolves, with null, when the next assignment has come, or the end. */
  readonly over: Promise<null>;
  readonly end: () => void;
}

class AnalyticsLoop {
  readonly #options: SessionAnalyticsOptions;
  readonly #metrics: AnalyticsMetrics | null;
  readonly #reader: BatchReader;
  readonly #expiry: Expiry;
  readonly #outage: Outage;
  readonly #stopping = new AbortController();
  #assignment: Assignment | null = null;
  /** Without ends as long as those of the assignment aren't known. */
  #waiting: { ends: Offsets | null; readonly resolve: () => void }[] = [];
  #idle = false;
  /** Ends the pause that the loop is in, if any. */
  #wake: () => void = () => {};

  constructor(options: SessionAnalyticsOptions) {
    this.#options = options;
    this.#metrics = options.metrics === undefined ? null : analyticsMetrics(options.metrics);
    this.#reader = new BatchReader(options.topic);
    this.#expiry = new Expiry(options);
    this.#outage = new Outage({
      clock: options.clock,
      logger: options.logger,
      down: 'sessions can not be brought into history: trying again',
      up: 'sessions are brought into history again',
    });
    this.#metrics?.onBehind(() => this.#behind());
  }

  async run(): Promise<void> {
    const stopListening = this.#options.topic.onAppend(() => {
      if (this.#idle) this.#wake();
    });
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const own = this.#assignment;
      if (own === null) {
        await this.#pause(IDLE_MS);
        continue;
      }
      try {
        own.next ??= await this.#restore(own);
        const more = await this.#applyNext(own, own.next);
        this.#settleWaiting();
        const expiring = own.ends.has(EXPIRING_PARTITION) && (await this.#expiry.step());
        this.#outage.over();
        if (!more && !expiring && own === this.#assignment) await this.#rest(own);
      } catch (error) {
        own.ahead = null;
        await this.#outage.wait(error, signal);
      }
    }
    stopListening();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  assign(partitions: readonly number[]): void {
    const { promise: over, resolve } = Promise.withResolvers<null>();
    const ends = this.#endsOf(partitions);
    this.#assignment?.end();
    this.#assignment = { ends, next: null, ahead: null, over, end: () => resolve(null) };
    this.#wake();
  }

  stop(): void {
    this.#stopping.abort();
    this.#assignment?.end();
    this.#wake();
  }

  caughtUp(): boolean {
    return this.#assignment?.next != null && this.#behind() === 0;
  }

  waitApplied(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopping.signal.aborted) return resolve();
      const own = this.#assignment;
      const ends = own?.next == null ? null : this.#endsOf(own.next.keys());
      this.#waiting.push({ ends, resolve });
      this.#settleWaiting();
      this.#wake();
    });
  }

  health(): HealthPart {
    const { reason } = this.#outage;
    const name = 'session-analytics';
    if (reason === null) return { name, status: 'ok', reason: null };
    return { name, status: 'degraded', reason: `${reason}; ${this.#behind()} records wait` };
  }

  /** The stored positions, as far as they mean something in this log; else its oldest record. */
  async #restore(own: Assignment): Promise<Offsets> {
    const { topic, history, logger } = this.#options;
    const stored = (await history.positions()).filter(({ logId, partition }) => {
      return logId === topic.logId && own.ends.has(partition);
    });
    const ends = await this.#endsFor(own, stored);
    const next = new Map([...ends.keys()].map((one) => [one, topic.firstOffset(one)]));
    const lost: HistoryPosition[] = [];
    for (const position of stored) {
      const { partition, nextOffset } = position;
      if (nextOffset <= ends.get(partition)!) next.set(partition, nextOffset);
      else lost.push({ ...position, nextOffset: next.get(partition)! });
    }
    if (lost.length > 0) {
      const partitions = lost.map(({ partition }) => partition);
      logger?.warn({ partitions }, 'history knows more than the topic holds: reading all of it');
      await history.rewind(lost);
    }
    return next;
  }

  /** Ends to judge by; another process may have read more of the topic than we know of. */
  async #endsFor(own: Assignment, stored: readonly HistoryPosition[]): Promise<Offsets> {
    const { topic, clock } = this.#options;
    if (topic.refreshEnds === undefined) return own.ends;
    for (let looks = 1; ; looks++) {
      await topic.refreshEnds([...own.ends.keys()]);
      const ends = this.#endsOf(own.ends.keys());
      const isShort = stored.some((one) => one.nextOffset > ends.get(one.partition)!);
      if (!isShort || looks === END_LOOKS || own !== this.#assignment) return ends;
      await clock.sleep(END_LOOK_MS, this.#stopping.signal);
    }
  }

  /** Applies a batch; false when there was nothing, or so little that more may be gathered. */
  async #applyNext(own: Assignment, from: Offsets): Promise<boolean> {
    const { topic, history, clock, sync, release } = this.#options;
    const batch = await Promise.race([own.over, own.ahead ?? this.#reader.read(from)]);
    // What is read of a partition that the topic no longer follows may have holes.
    if (batch === null || own !== this.#assignment) return true;
    const { next, isFull } = batch;
    const positions: HistoryPosition[] = [];
    for (const [partition, nextOffset] of next) {
      if (nextOffset === from.get(partition)) continue;
      positions.push({ logId: topic.logId, partition, nextOffset });
    }
    own.ahead = null;
    if (positions.length === 0) return false;
    if (isFull) {
      own.ahead = this.#reader.read(next);
      // Whoever awaits it is told; until then it is nobody's unhandled rejection.
      own.ahead.catch(() => {});
    }
    await sync?.();
    const startMs = clock.monotonicMs();
    await history.apply(batch.records, positions);
    own.next = next;
    this.#tell(batch, clock.monotonicMs() - startMs);
    const { partitionCount } = topic;
    await release?.(Array.from({ length: partitionCount }, (_, one) => next.get(one) ?? 0));
    return isFull;
  }

  #tell({ records, unreadable }: Batch, durationMs: number): void {
    this.#metrics?.applied(records, durationMs);
    if (unreadable.length === 0) return;
    this.#metrics?.unreadable(unreadable.length);
    const { key, offset } = unreadable[0]!;
    const seen = { records: unreadable.length, key, offset };
    this.#options.logger?.warn(seen, 'records of the sessions topic are no sessions: skipped');
  }

  /** Until the topic grows or something expires; then a moment more, unless somebody waits. */
  async #rest({ ends }: Assignment): Promise<void> {
    if (this.#behind() === 0) {
      const nowMs = this.#options.clock.monotonicMs();
      this.#idle = true;
      await this.#pause(ends.has(EXPIRING_PARTITION) ? this.#expiry.dueInMs(nowMs) : IDLE_MS);
      this.#idle = false;
    }
    if (this.#waiting.length === 0) await this.#pause(GATHER_MS);
  }

  async #pause(durationMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#options.clock.sleep(durationMs, woken.signal);
    this.#wake = () => {};
  }

  /** Partitions that were taken away meanwhile are another's. */
  #settleWaiting(): void {
    const next = this.#assignment?.next;
    if (next == null) return;
    this.#waiting = this.#waiting.filter((one) => {
      one.ends ??= this.#endsOf(next.keys());
      for (const [partition, end] of one.ends) {
        if ((next.get(partition) ?? end) < end) return true;
      }
      one.resolve();
      return false;
    });
  }

  #endsOf(partitions: Iterable<number>): Offsets {
    const { topic } = this.#options;
    return new Map([...partitions].map((one) => [one, topic.endOffset(one)]));
  }

  /** Records of the assigned partitions that are not in history yet. */
  #behind(): number {
    const { topic } = this.#options;
    const own = this.#assignment;
    let records = 0;
    for (const partition of own?.ends.keys() ?? []) {
      const next = own?.next?.get(partition) ?? topic.firstOffset(partition);
      records += Math.max(0, topic.endOffset(partition) - next);
    }
    return records;
  }
}
