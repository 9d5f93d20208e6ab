/** The live sessions of this process: a map by user, ordered by time of publication. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Arena, sizeFor } from '../core/arena.ts';
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

const NO_BYTES = new Uint8Array(0);

/**
 * A user's newest session, or the marker of its removal, changed in place. Entries form a list by
 * publication, and those whose session nobody has summarised yet are the end of it.
 */
class Entry {
  readonly userId: string;
  partition = 0;
  position = 0;
  /** False: the user has no live session. */
  hasSession = false;
  /** The session lies here, in a run of the arena. */
  bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  start = 0;
  length = 0;
  size = 0;
  asOfMs = 0;
  /** On the monotonic clock. */
  expiresMs = 0;
  isRead = true;
  summary: Summary | null = null;
  decoded: SessionRecord | null = null;
  older: Entry | null = null;
  newer: Entry | null = null;

  constructor(userId: string) {
    this.userId = userId;
  }
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
  /** Of those that are not summarised yet: the one published longest ago, and how many. */
  #firstUnread: Entry | null = null;
  #unread = 0;
  /** Entries whose session was asked for last: those are kept decoded. */
  readonly #decoded = new Set<Entry>();
  readonly #arena = new Arena();
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
    for (const { userId, session } of updates) {
      let entry = this.#users.get(userId);
      if (entry === undefined) {
        entry = new Entry(userId);
        this.#users.set(userId, entry);
      } else if (entry.position >= position) continue;
      else this.#unlink(entry);
      entry.partition = partition;
      entry.position = position;
      entry.asOfMs = asOfMs;
      entry.expiresMs = expiresMs;
      this.#take(entry, session);
      this.#link(entry);
      if (this.#listeners.size > 0) this.#tell(entry);
      if (this.#users.size > maxUsers) this.#remove(this.#oldest!);
    }
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
      if (isStale && entry.hasSession) removed.push({ userId: entry.userId, session: null });
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
    this.#firstUnread = null;
    this.#unread = 0;
    this.#decoded.clear();
    this.#listeners.clear();
    this.#positions.clear();
    this.#oldest = null;
    this.#newest = null;
    this.#active = 0;
  }

  #answer(entry: Entry): LiveAnswer | null {
    if (!entry.hasSession) return null;
    if (entry.decoded === null) {
      entry.decoded = this.#decode(entry, bytesOf(entry));
      this.#decoded.add(entry);
      if (this.#decoded.size > DECODED) {
        const [longestAgo] = this.#decoded;
        longestAgo!.decoded = null;
        this.#decoded.delete(longestAgo!);
      }
    }
    return { session: entry.decoded, asOfMs: entry.asOfMs, source: 'process' };
  }

  #decode({ userId, partition }: Entry, bytes: Uint8Array): SessionRecord {
    return this.#options.decode(userId, bytes, partition);
  }

  #tell(entry: Entry): void {
    // The entry may be another session's by the time somebody asks.
    const bytes = entry.hasSession ? bytesOf(entry).slice() : null;
    let decoded: SessionRecord | null | undefined;
    const session = () => {
      if (decoded === undefined) decoded = bytes === null ? null : this.#decode(entry, bytes);
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
    for (let pass = 0; pass < 4 && this.#unread > CHUNK; pass++) {
      for (let left = this.#unread; left > 0; left -= CHUNK) {
        this.#read(CHUNK);
        await nextTurn();
      }
    }
    this.#read(this.#unread);
  }

  #read(count: number): void {
    for (let left = count; left > 0 && this.#firstUnread !== null; left--) {
      const entry = this.#firstUnread;
      this.#passUnread(entry);
      if (!entry.hasSession) continue;
      const record = this.#decode(entry, bytesOf(entry));
      entry.summary = {
        sessionId: record.sessionId,
        endMs: Date.parse(record.endTime),
        eventCount: record.eventCount,
        hasCart: record.addToCarts > 0,
        hasConversion: record.hasConversion,
        device: record.device,
      };
      this.#sessions.set(record.sessionId, entry);
    }
  }

  /** One entry is no longer among those to be summarised. */
  #passUnread(entry: Entry): void {
    if (entry.isRead) return;
    entry.isRead = true;
    this.#unread--;
    if (this.#firstUnread === entry) this.#firstUnread = entry.newer;
  }

  /** Copies what was published: those bytes are soon used for something else. */
  #take(entry: Entry, session: Uint8Array | null): void {
    const length = session === null ? 0 : session.length;
    const size = session === null ? 0 : sizeFor(length);
    if (size !== entry.size) {
      this.#giveBack(entry);
      if (size > 0) {
        entry.start = this.#arena.take(size);
        entry.bytes = this.#arena.bytes;
        entry.size = size;
      }
    }
    const { bytes, start } = entry;
    for (let index = 0; index < length; index++) bytes[start + index] = session![index]!;
    entry.length = length;
    entry.hasSession = session !== null;
  }

  #giveBack(entry: Entry): void {
    if (entry.size > 0) this.#arena.give(entry.bytes, entry.start, entry.size);
    entry.bytes = NO_BYTES;
    entry.size = 0;
  }

  /** Makes it the newest, not summarised. */
  #link(entry: Entry): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    entry.isRead = false;
    this.#unread++;
    this.#firstUnread ??= entry;
    if (entry.hasSession) this.#active++;
  }

  /** Takes it out of the list, with all that was made of its session. */
  #unlink(entry: Entry): void {
    this.#passUnread(entry);
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.hasSession) this.#active--;
    if (entry.decoded !== null) {
      entry.decoded = null;
      this.#decoded.delete(entry);
    }
    if (entry.summary === null) return;
    const { sessionId } = entry.summary;
    entry.summary = null;
    if (this.#sessions.get(sessionId) === entry) this.#sessions.delete(sessionId);
  }

  #remove(entry: Entry): void {
    this.#unlink(entry);
    this.#users.delete(entry.userId);
    this.#giveBack(entry);
  }

  #expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    while (this.#oldest !== null && this.#oldest.expiresMs <= nowMs) this.#remove(this.#oldest);
  }
}

function bytesOf({ bytes, start, length }: Entry): Uint8Array<ArrayBuffer> {
  return bytes.subarray(start, start + length);
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
