/** The live sessions of this process: a map by user, ordered by time of publication. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SessionRecord } from '../core/output.ts';
import type { Clock } from '../ops/clock.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Live, LiveAnswer, LiveChange, LiveFilter, LivePage, LiveUpdate } from './live.ts';

/** Sessions decoded in one go: some milliseconds. */
const CHUNK = 250;
/** Decoded sessions kept for those who ask for the same again. */
const DECODED = 1000;

export interface ProcessLiveOptions {
  readonly clock: Clock;
  /** How long a session is kept after it was last published: gap + grace. */
  readonly ttlMs: number;
  /** Most users kept; beyond that the one published longest ago goes. */
  readonly maxUsers: number;
  readonly decode: (userId: string, bytes: Uint8Array, partition: number) => SessionRecord;
}

/** What lists and filters need of a session; the rest is decoded again when somebody asks. */
interface Summary {
  readonly sessionId: string;
  readonly endMs: number;
  readonly eventCount: number;
  readonly hasCart: boolean;
  readonly hasConversion: boolean;
  readonly device: string | null;
}

/** A user's newest session, or the marker of its removal. Entries form a list by publication. */
interface Entry {
  readonly userId: string;
  readonly partition: number;
  readonly position: number;
  /** null: the user has no live session. */
  readonly session: Uint8Array | null;
  readonly asOfMs: number;
  /** On the monotonic clock. */
  readonly expiresMs: number;
  summary: Summary | null;
  older: Entry | null;
  newer: Entry | null;
}

export function openProcessLive(options: ProcessLiveOptions): Live {
  return new ProcessLive(options);
}

/** Expiry and eviction only make room: a session ends when it is published as ended. */
class ProcessLive implements Live {
  readonly #options: ProcessLiveOptions;
  readonly #users = new Map<string, Entry>();
  #oldest: Entry | null = null;
  #newest: Entry | null = null;
  /** Entries with a session, as against markers. */
  #active = 0;
  /** By session id, as far as summaries have been made. */
  readonly #sessions = new Map<string, Entry>();
  readonly #unread = new Set<Entry>();
  /** The sessions that were asked for last, decoded. */
  readonly #decoded = new Map<Entry, SessionRecord>();
  readonly #listeners = new Set<(change: LiveChange) => void>();
  /** By partition, once it has been filled. */
  readonly #positions = new Map<number, number>();

  constructor(options: ProcessLiveOptions) {
    this.#options = options;
  }

  async publish(
    partition: number,
    position: number,
    updates: readonly LiveUpdate[],
  ): Promise<boolean> {
    const { clock, ttlMs, maxUsers } = this.#options;
    const asOfMs = clock.nowMs();
    const expiresMs = clock.monotonicMs() + ttlMs;
    this.#expire();
    const taken: Entry[] = [];
    for (const { userId, session } of updates) {
      const before = this.#users.get(userId);
      if (before !== undefined && before.position >= position) continue;
      if (before !== undefined) this.#remove(before);
      const entry: Entry = {
        userId,
        partition,
        position,
        session: session === null ? null : ownBytes(session),
        asOfMs,
        expiresMs,
        summary: null,
        older: null,
        newer: null,
      };
      this.#add(entry);
      taken.push(entry);
      if (this.#users.size > maxUsers) this.#remove(this.#oldest!);
    }
    if (this.#listeners.size > 0) for (const entry of taken) this.#tell(entry);
    const published = this.#positions.get(partition);
    if (published !== undefined && published < position) this.#positions.set(partition, position);
    return published !== undefined;
  }

  async publishedPosition(partition: number): Promise<number | null> {
    return this.#positions.get(partition) ?? null;
  }

  async refill(
    partition: number,
    position: number,
    updates: AsyncIterable<readonly LiveUpdate[]>,
  ): Promise<boolean> {
    for await (const some of updates) await this.publish(partition, position, some);
    const removed: LiveUpdate[] = [];
    for (const entry of this.#users.values()) {
      const isStale = entry.partition === partition && entry.position < position;
      if (isStale && entry.session !== null) removed.push({ userId: entry.userId, session: null });
    }
    await this.publish(partition, position, removed);
    const published = this.#positions.get(partition) ?? 0;
    this.#positions.set(partition, Math.max(published, position));
    return true;
  }

  /** Nothing is ever missing here. */
  onRefillNeeded(): () => void {
    return () => {};
  }

  async get(userId: string): Promise<LiveAnswer | null> {
    this.#expire();
    const entry = this.#users.get(userId);
    return entry === undefined ? null : this.#answer(entry);
  }

  async session(sessionId: string): Promise<LiveAnswer | null> {
    await this.#readAll();
    this.#expire();
    const entry = this.#sessions.get(sessionId);
    return entry === undefined ? null : this.#answer(entry);
  }

  /**
   * A page goes on below the last session of the one before, by end and user. A session whose end
   * moves while somebody turns pages is seen at most once unless it moves down.
   */
  async list(filter: LiveFilter, limit: number, cursor: string | null): Promise<LivePage> {
    const after = cursor === null ? null : decodeCursor(cursor);
    await this.#readAll();
    this.#expire();
    const nowMs = this.#options.clock.nowMs();
    // The first `limit` and one more, in order, found by one pass without sorting everything.
    // It begins with the newest, which are likely to end latest, so that few have to move.
    const found: Entry[] = [];
    for (let entry = this.#newest; entry !== null; entry = entry.older) {
      const { summary } = entry;
      if (summary === null || !matches(summary, filter, nowMs)) continue;
      const { endMs } = summary;
      if (after !== null && !comesAfter(endMs, entry.userId, after.endMs, after.userId)) continue;
      const last = found.at(-1);
      if (found.length > limit) {
        if (comesAfter(endMs, entry.userId, last!.summary!.endMs, last!.userId)) continue;
        found.pop();
      }
      found.splice(placeOf(found, endMs, entry.userId), 0, entry);
    }
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map((entry) => this.#answer(entry)!),
      nextCursor:
        found.length > limit && last !== undefined
          ? encodeCursor({ endMs: last.summary!.endMs, userId: last.userId })
          : null,
    };
  }

  async size(): Promise<number> {
    this.#expire();
    return this.#active;
  }

  onChange(listener: (change: LiveChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#users.clear();
    this.#sessions.clear();
    this.#unread.clear();
    this.#decoded.clear();
    this.#listeners.clear();
    this.#positions.clear();
    this.#oldest = null;
    this.#newest = null;
    this.#active = 0;
  }

  #answer(entry: Entry): LiveAnswer | null {
    const session = this.#decoded.get(entry) ?? this.#decode(entry);
    if (session === null) return null;
    this.#decoded.set(entry, session);
    if (this.#decoded.size > DECODED) this.#decoded.delete(this.#decoded.keys().next().value!);
    return { session, asOfMs: entry.asOfMs, source: 'process' };
  }

  #decode({ userId, session, partition }: Entry): SessionRecord | null {
    return session === null ? null : this.#options.decode(userId, session, partition);
  }

  #tell(entry: Entry): void {
    let decoded: SessionRecord | null | undefined;
    const session = () => {
      if (decoded === undefined) decoded = this.#decode(entry);
      return decoded;
    };
    for (const listener of this.#listeners) {
      try {
        listener({ userId: entry.userId, session });
      } catch (error) {
        // One listener's defect must not disturb the others, nor the partition that publishes.
        process.emitWarning(error as Error);
      }
    }
  }

  /**
   * Summarises what was published since somebody last asked for a list or a session id, without
   * keeping others waiting: what is published meanwhile comes last, when it is little.
   */
  async #readAll(): Promise<void> {
    for (let pass = 0; pass < 4 && this.#unread.size > CHUNK; pass++) {
      for (let left = this.#unread.size; left > 0; left -= CHUNK) {
        this.#read(CHUNK);
        await nextTurn();
      }
    }
    this.#read(this.#unread.size);
  }

  #read(count: number): void {
    let left = count;
    for (const entry of this.#unread) {
      if (left-- === 0) return;
      const record = this.#decode(entry)!;
      entry.summary = {
        sessionId: record.sessionId,
        endMs: Date.parse(record.endTime),
        eventCount: record.eventCount,
        hasCart: record.addToCarts > 0,
        hasConversion: record.hasConversion,
        device: record.device,
      };
      this.#sessions.set(record.sessionId, entry);
      this.#unread.delete(entry);
    }
  }

  #add(entry: Entry): void {
    this.#users.set(entry.userId, entry);
    entry.older = this.#newest;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    if (entry.session === null) return;
    this.#active++;
    this.#unread.add(entry);
  }

  #remove(entry: Entry): void {
    this.#users.delete(entry.userId);
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.session === null) return;
    this.#active--;
    this.#unread.delete(entry);
    this.#decoded.delete(entry);
    const sessionId = entry.summary?.sessionId;
    if (sessionId === undefined || this.#sessions.get(sessionId) !== entry) return;
    this.#sessions.delete(sessionId);
  }

  #expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    while (this.#oldest !== null && this.#oldest.expiresMs <= nowMs) this.#remove(this.#oldest);
  }
}

/** Bytes that keep nothing else in memory: a commit's records often share one large buffer. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength
    ? bytes
    : Uint8Array.prototype.slice.call(bytes);
}

function matches(summary: Summary, filter: LiveFilter, nowMs: number): boolean {
  const { minEvents, minIdleMs, hasCart, hasConversion, device } = filter;
  return (
    (minEvents === undefined || summary.eventCount >= minEvents) &&
    (minIdleMs === undefined || nowMs - summary.endMs >= minIdleMs) &&
    (hasCart === undefined || summary.hasCart === hasCart) &&
    (hasConversion === undefined || summary.hasConversion === hasConversion) &&
    (device === undefined || summary.device === device)
  );
}

/** Latest end first; users whose sessions end together by id. */
function comesAfter(endMs: number, userId: string, otherEndMs: number, otherId: string): boolean {
  return endMs < otherEndMs || (endMs === otherEndMs && userId > otherId);
}

/** Where a session belongs in an ordered list; mostly at its end. */
function placeOf(entries: readonly Entry[], endMs: number, userId: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { summary, userId: otherId } = entries[middle]!;
    if (comesAfter(endMs, userId, summary!.endMs, otherId)) low = middle + 1;
    else high = middle;
  }
  return low;
}
