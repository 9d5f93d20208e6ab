/** The live sessions in Redis: published by the owners of partitions, read by every process. */
import { BasicClientSideCache } from 'redis';
import type { SessionRecord } from '../core/output.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Live, LiveAnswer, LiveChange, LiveFilter, LivePage, LiveUpdate } from './live.ts';
import { RedisConnection, read } from './redis-connection.ts';
import { decodeChanges, headerOf, keysOf, type RedisKeys, splitValue } from './redis-layout.ts';
import { RedisPublisher } from './redis-publisher.ts';

/** Values that node-redis keeps (more make forgetting one slower), and what is kept decoded. */
const CACHED = 2000;
const DECODED = 1000;
/** Beyond so many misses the cache begins anew: it never forgets a key that Redis doesn't name. */
const MISSES = 100_000;
/** What bounds the life of a value whose invalidation was lost. */
const CACHED_MS = 60_000;
/** After so long a read is better answered by the state. */
const READ_ANSWER_MS = 500;
const WRITE_ANSWER_MS = 2000;
/** Users that one step of a list looks at: about a millisecond of Redis. */
const LOOKED_AT = 200;

export interface RedisLiveOptions {
  readonly url: string;
  /** PEM of the authority that signed the server's certificate, if the system doesn't know it. */
  readonly ca?: string | undefined;
  /** Begins all keys; systems that share a Redis have different ones. */
  readonly prefix?: string;
  readonly logId: string;
  readonly partitionCount: number;
  /** How long a session is kept after it was last published: gap + grace. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly decode: (userId: string, bytes: Uint8Array, partition: number) => SessionRecord;
  /** Ends the waiting for a Redis that can't be reached. */
  readonly signal?: AbortSignal;
}

/** Resolves once Redis is there; rejects with `live_refused` when it will not have us. */
export async function openRedisLive(options: RedisLiveOptions): Promise<RedisLive> {
  const live = new RedisLive(options);
  await live.open();
  return live;
}

/**
 * Two connections. One reads users' values through the cache of node-redis and hears of changes:
 * on one connection the word that a value is stale comes before the word of its change. The other
 * does all the rest, so that Redis remembers for the first only what is read again.
 */
export class RedisLive implements Live {
  readonly #options: RedisLiveOptions;
  readonly #keys: RedisKeys;
  readonly #cache = new BasicClientSideCache({ maxEntries: CACHED, ttl: CACHED_MS });
  readonly #decoded = new Map<string, { readonly line: string; readonly session: SessionRecord }>();
  readonly #listeners = new Set<(change: LiveChange) => void>();
  #reader!: RedisConnection;
  #writer!: RedisConnection;
  #publisher!: RedisPublisher;
  #isSubscribed = false;
  /** Said once. */
  #hasUnreadable = false;
  #subscribing: Promise<void> = Promise.resolve();

  constructor(options: RedisLiveOptions) {
    this.#options = options;
    this.#keys = keysOf(options.prefix ?? 'lull', options.logId);
  }

  async open(): Promise<void> {
    const { logger, ...options } = this.#options;
    this.#writer = await RedisConnection.open({
      ...options,
      logger,
      answerMs: WRITE_ANSWER_MS,
      onReady: () => void this.#publisher?.connected(),
    });
    this.#publisher = new RedisPublisher({
      ...this.#options,
      keys: this.#keys,
      connection: this.#writer,
      onWritten: (userId) => this.#cache.invalidate(this.#keys.user + userId),
    });
    try {
      // What there is to say about an outage the other one says.
      this.#reader = await RedisConnection.open({
        ...options,
        cache: this.#cache,
        answerMs: READ_ANSWER_MS,
        onReady: () => this.#subscribe(),
      });
    } catch (error) {
      await this.#writer.close();
      throw error;
    }
  }

  /** For `/health`: why Redis can't be asked, or what it doesn't take; null when all is well. */
  problem(): string | null {
    return this.#writer.problem() ?? this.#reader.problem() ?? this.#publisher.problem();
  }

  publish(partition: number, position: number, updates: readonly LiveUpdate[]): Promise<boolean> {
    return this.#publisher.publish(partition, position, updates);
  }

  publishedPosition(partition: number, from?: number): Promise<number | null> {
    return this.#publisher.publishedPosition(partition, from);
  }

  refill(
    partition: number,
    position: number,
    updates: AsyncIterable<readonly LiveUpdate[]>,
  ): Promise<boolean> {
    return this.#publisher.refill(partition, position, updates);
  }

  onRefillNeeded(listener: (partition: number) => void): () => void {
    return this.#publisher.onRefillNeeded(listener);
  }

  async get(userId: string, fresh = false): Promise<LiveAnswer | null> {
    const key = this.#keys.user + userId;
    if (fresh) this.#cache.invalidate(key);
    if (this.#cache.stats().missCount > MISSES) this.#cache.clear();
    let isHit = false;
    const value = await this.#reader.ask((client) => {
      // The cache looks before the call returns, so that nobody else's hit is counted between.
      const { hitCount } = this.#cache.stats();
      const reply = read(client, key);
      isHit = this.#cache.stats().hitCount > hitCount;
      return reply;
    });
    return value === null ? null : this.#answer(userId, value, isHit ? 'process' : 'redis');
  }

  async session(sessionId: string, fresh = false): Promise<LiveAnswer | null> {
    const userId = await this.#writer.ask((client) => read(client, this.#keys.session + sessionId));
    if (userId === null) return null;
    const answer = await this.get(Buffer.from(userId).toString(), fresh);
    return answer?.session.sessionId === sessionId ? answer : null;
  }

  /** Goes through the users from the latest end on, in steps; Redis looks at the filter. */
  async list(filter: LiveFilter, limit: number, cursor: string | null): Promise<LivePage> {
    let after = cursor === null ? null : decodeCursor(cursor);
    const { minIdleMs, ...fields } = filter;
    const { ends, user } = this.#keys;
    const idleMs = this.#options.clock.nowMs() - (minIdleMs ?? -Infinity);
    const items: LiveAnswer[] = [];
    for (;;) {
      const [endMs, userId, ...found] = await this.#writer.ask((client) =>
        client.listLive(
          [ends],
          [
            user,
            scoreOf(Math.min(idleMs, after?.endMs ?? Infinity)),
            `${after?.endMs ?? ''}`,
            after?.userId ?? '',
            `${LOOKED_AT}`,
            `${limit + 1 - items.length}`,
            JSON.stringify(fields),
          ],
        ),
      );
      for (let index = 0; index < found.length; index += 2) {
        const answer = this.#answer(found[index]!.toString(), found[index + 1]!, 'redis');
        if (answer !== null) items.push(answer);
      }
      if (items.length > limit) return pageOf(items.slice(0, limit));
      if (!endMs || !userId) return { items, nextCursor: null };
      after = { endMs: Number(endMs), userId: userId.toString() };
    }
  }

  size(): Promise<number> {
    const { partitionCount } = this.#options;
    const keys = Array.from({ length: partitionCount }, (_, n) => `${this.#keys.expiries}${n}`);
    return this.#writer.ask((client) => client.countLive(keys, []));
  }

  onChange(listener: (change: LiveChange) => void): () => void {
    this.#listeners.add(listener);
    this.#subscribe();
    return () => {
      this.#listeners.delete(listener);
      this.#subscribe();
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#publisher.close();
    await Promise.all([this.#reader.close(), this.#writer.close()]);
    this.#cache.clear();
    this.#decoded.clear();
  }

  /** Brings the subscription to what the listeners want; node-redis renews it after a loss. */
  #subscribe(): void {
    this.#subscribing = this.#subscribing.then(async () => {
      const isWanted = this.#listeners.size > 0;
      if (isWanted === this.#isSubscribed || !this.#reader?.client.isReady) return;
      const { changes } = this.#keys;
      try {
        if (isWanted) await this.#reader.client.subscribe(changes, this.#hear, true);
        else await this.#reader.client.unsubscribe(changes);
        this.#isSubscribed = isWanted;
      } catch (err) {
        // A lost connection is the usual reason: it is tried again with the next one.
        if (this.#reader.isReady) this.#options.logger?.warn({ err }, 'Redis tells no changes');
      }
    });
  }

  readonly #hear = (message: Buffer): void => {
    for (const { userId, value } of decodeChanges(message)) {
      let decoded: SessionRecord | null | undefined;
      const session = () => {
        if (decoded === undefined) decoded = this.#decode(userId, value);
        return decoded;
      };
      for (const listener of this.#listeners) {
        try {
          listener({ userId, session });
        } catch (error) {
          // One listener's defect must not disturb the others, nor the connection.
          process.emitWarning(error as Error);
        }
      }
    }
  };

  #answer(userId: string, value: Uint8Array, source: LiveAnswer['source']): LiveAnswer | null {
    const split = splitValue(value);
    if (split === null) return null;
    const { line, record } = split;
    const { asOfMs, partition } = headerOf(line);
    const known = this.#decoded.get(userId);
    if (known?.line === line) return { session: known.session, asOfMs, source };
    const session = this.#decodeRecord(userId, record, partition);
    if (session === null) return null;
    this.#decoded.delete(userId);
    this.#decoded.set(userId, { line, session });
    if (this.#decoded.size > DECODED) this.#decoded.delete(this.#decoded.keys().next().value!);
    return { session, asOfMs, source };
  }

  #decode(userId: string, value: Uint8Array): SessionRecord | null {
    const split = splitValue(value);
    if (split === null) return null;
    return this.#decodeRecord(userId, split.record, headerOf(split.line).partition);
  }

  /** Null for what a later version has written: the state's owner can read it. */
  #decodeRecord(userId: string, record: Uint8Array, partition: number): SessionRecord | null {
    try {
      return this.#options.decode(userId, record, partition);
    } catch (err) {
      if (!this.#hasUnreadable) this.#options.logger?.warn({ err }, 'a live session is unreadable');
      this.#hasUnreadable = true;
      return null;
    }
  }
}

function scoreOf(endMs: number): string {
  return endMs === Infinity ? '+inf' : `${endMs}`;
}

/** A page that is not the last. */
function pageOf(items: readonly LiveAnswer[]): LivePage {
  const { endTime, userId } = items.at(-1)!.session;
  return { items, nextCursor: encodeCursor({ endMs: Date.parse(endTime), userId }) };
}
