/** session-analytics: brings the `sessions` topic into history, each record's effect once. */
import type { SentRecord } from '../../core/output.ts';
import type { History, HistoryPosition } from '../../history/history.ts';
import type { LogRecord, TopicReader } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { Outage } from '../../ops/outage.ts';
import { type AnalyticsMetrics, analyticsMetrics } from './analytics-metrics.ts';
import { Expiry } from './expiry.ts';
import { readSentRecord } from './sent-record.ts';

export interface SessionAnalyticsOptions {
  /** The `sessions` topic: JSON of sent records. */
  readonly topic: TopicReader;
  readonly history: History;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Sessions that ended longer ago than this are deleted. */
  readonly retainSessionsMs: number;
  /**
   * Makes what can be read of the topic survive a power loss. Called before a batch is applied,
   * so that history never knows what the topic may forget.
   */
  readonly sync?: () => Promise<unknown>;
  /** Lets go of the topic's records below these offsets, by partition: they are in history. */
  readonly release: (offsets: readonly number[]) => Promise<void>;
}

export interface SessionAnalytics {
  /** Whether every record that the topic holds now is in history. */
  caughtUp(): boolean;
  /** Resolves when every record that the topic holds now is in history, or with `close`. */
  waitApplied(): Promise<void>;
  health(): { name: string; status: 'ok' | 'degraded'; reason: string | null };
  /** After the batch under way; what it hasn't applied is read again by the next start. */
  close(): Promise<void>;
}

/** One batch: about a thousand sessions, and never much more than this in memory. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Little is gathered for so long, so that a trickle doesn't cost a transaction a record. */
const GATHER_MS = 400;

export function startSessionAnalytics(options: SessionAnalyticsOptions): SessionAnalytics {
  const loop = new AnalyticsLoop(options);
  const ended = loop.run();
  return {
    caughtUp: () => loop.caughtUp(),
    waitApplied: () => loop.waitApplied(),
    health: () => loop.health(),
    close: () => {
      loop.stop();
      return ended;
    },
  };
}

interface Batch {
  readonly records: readonly SentRecord[];
  /** What is no record of a session. */
  readonly unreadable: readonly LogRecord[];
  readonly isFull: boolean;
  /** Where each partition goes on after it. */
  readonly next: readonly number[];
}

class AnalyticsLoop {
  readonly #options: SessionAnalyticsOptions;
  readonly #metrics: AnalyticsMetrics | null;
  readonly #expiry: Expiry;
  readonly #outage: Outage;
  readonly #stopping = new AbortController();
  /** Where the topic ended at the start: a stored position past it is of records it has lost. */
  readonly #endsAtStart: readonly number[];
  /** Offset of the first record not yet in history, by partition; null before the first look. */
  #next: readonly number[] | null = null;
  /** The partition that is read first, so that a busy one doesn't keep the others waiting. */
  #turn = 0;
  /** The batch after the one that is being applied. */
  #ahead: Promise<Batch> | null = null;
  #waiting: { readonly ends: readonly number[]; readonly resolve: () => void }[] = [];
  #idle = false;
  /** Ends the pause that the loop is in, if any. */
  #wake: () => void = () => {};

  constructor(options: SessionAnalyticsOptions) {
    this.#options = options;
    this.#metrics = options.metrics === undefined ? null : analyticsMetrics(options.metrics);
    this.#expiry = new Expiry(options);
    this.#outage = new Outage({
      clock: options.clock,
      logger: options.logger,
      down: 'sessions can not be brought into history: trying again',
      up: 'sessions are brought into history again',
    });
    this.#endsAtStart = this.#ends();
    this.#metrics?.onBehind(() => this.#behind());
  }

  async run(): Promise<void> {
    const stopListening = this.#options.topic.onAppend(() => {
      if (this.#idle) this.#wake();
    });
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#next ??= await this.#restore();
        const more = await this.#applyNext(this.#next);
        this.#settleWaiting();
        const expiring = await this.#expiry.step();
        this.#outage.over();
        if (!more && !expiring) await this.#rest();
      } catch (error) {
        this.#ahead = null;
        await this.#outage.wait(error, signal);
      }
    }
    stopListening();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  caughtUp(): boolean {
    return this.#behind() === 0;
  }

  waitApplied(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopping.signal.aborted) return resolve();
      this.#waiting.push({ ends: this.#ends(), resolve });
      this.#settleWaiting();
      this.#wake();
    });
  }

  health(): { name: string; status: 'ok' | 'degraded'; reason: string | null } {
    const { reason } = this.#outage;
    const name = 'session-analytics';
    if (reason === null) return { name, status: 'ok', reason: null };
    return { name, status: 'degraded', reason: `${reason}; ${this.#behind()} records wait` };
  }

  /** The stored positions, as far as they mean something in this log; else its oldest record. */
  async #restore(): Promise<number[]> {
    const { topic, history } = this.#options;
    const next = this.#endsAtStart.map((_, partition) => topic.firstOffset(partition));
    for (const { logId, partition, nextOffset } of await history.positions()) {
      if (logId !== topic.logId || partition >= topic.partitionCount) continue;
      if (nextOffset <= this.#endsAtStart[partition]!) next[partition] = nextOffset;
    }
    return next;
  }

  /** Applies a batch; false when there was nothing, or so little that more may be gathered. */
  async #applyNext(from: readonly number[]): Promise<boolean> {
    const { topic, history, sync, release } = this.#options;
    const batch = await (this.#ahead ?? this.#read(from));
    const { next, isFull } = batch;
    const positions: HistoryPosition[] = [];
    for (const [partition, nextOffset] of next.entries()) {
      if (nextOffset === from[partition]) continue;
      positions.push({ logId: topic.logId, partition, nextOffset });
    }
    this.#ahead = null;
    if (positions.length === 0) return false;
    if (isFull) {
      this.#ahead = this.#read(next);
      // Whoever awaits it is told; until then it is nobody's unhandled rejection.
      this.#ahead.catch(() => {});
    }
    await sync?.();
    await history.apply(batch.records, positions);
    this.#next = next;
    this.#tell(batch);
    await release(next);
    return isFull;
  }

  async #read(from: readonly number[]): Promise<Batch> {
    const { topic } = this.#options;
    const records: SentRecord[] = [];
    const unreadable: LogRecord[] = [];
    const next = [...from];
    let bytes = 0;
    for (let index = 0; index < topic.partitionCount && bytes < BATCH_BYTES; index++) {
      const partition = this.#turn;
      this.#turn = (this.#turn + 1) % topic.partitionCount;
      const end = topic.endOffset(partition);
      if (next[partition]! >= end) continue;
      const found = await topic.read(partition, next[partition]!, BATCH_BYTES - bytes);
      // Nothing before the end: a hole is all that is left.
      next[partition] = (found.at(-1)?.offset ?? end - 1) + 1;
      for (const one of found) {
        bytes += one.value.length;
        const record = readSentRecord(one.value);
        if (record === null) unreadable.push(one);
        else records.push(record);
      }
    }
    return { records, unreadable, next, isFull: bytes >= BATCH_BYTES };
  }

  #tell({ records, unreadable }: Batch): void {
    this.#metrics?.applied(records);
    if (unreadable.length === 0) return;
    this.#metrics?.unreadable(unreadable.length);
    const { key, offset } = unreadable[0]!;
    const seen = { records: unreadable.length, key, offset };
    this.#options.logger?.warn(seen, 'records of the sessions topic are no sessions: skipped');
  }

  /** Until the topic grows or something expires; then a moment more, unless somebody waits. */
  async #rest(): Promise<void> {
    if (this.#behind() === 0) {
      this.#idle = true;
      await this.#pause(this.#expiry.dueInMs(this.#options.clock.monotonicMs()));
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

  #settleWaiting(): void {
    const next = this.#next;
    if (next === null) return;
    this.#waiting = this.#waiting.filter(({ ends, resolve }) => {
      if (ends.some((end, partition) => next[partition]! < end)) return true;
      resolve();
      return false;
    });
  }

  #ends(): number[] {
    const { topic } = this.#options;
    return Array.from({ length: topic.partitionCount }, (_, partition) =>
      topic.endOffset(partition),
    );
  }

  /** Records that are not in history yet. */
  #behind(): number {
    const { topic } = this.#options;
    let records = 0;
    for (const [partition, end] of this.#ends().entries()) {
      records += Math.max(0, end - (this.#next?.[partition] ?? topic.firstOffset(partition)));
    }
    return records;
  }
}
