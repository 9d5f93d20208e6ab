/**
 * One connection to Redis that is made again, with growing pauses, whenever it is lost, and that
 * never lets anybody wait: what can't be asked, or is not answered soon, is refused.
 */
import { once } from 'node:events';
import {
  type BasicClientSideCache,
  type CommandParser,
  createClient,
  ErrorReply,
  RESP_TYPES,
} from 'redis';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { Outage } from '../ops/outage.ts';
import { SCRIPTS } from './redis-scripts.ts';

/** A connection that has been silent for so long, though asked, is given up. */
const SILENCE_MS = 3000;
const PING_MS = 500;
/** Commands that may wait for their answers. */
const MAX_COMMANDS = 10_000;
/** The first whose scripts know flags and whose pushes keep to the order of replies. */
const OLDEST_VERSION = 7;

/** GET whose answer holds its own bytes alone: node-redis gives parts of what it has received. */
const MODULES = {
  live: {
    read: {
      CACHEABLE: true,
      parseCommand(parser: CommandParser, key: string) {
        parser.push('GET');
        parser.pushKey(key);
      },
      transformReply: (reply: Buffer | null) => (reply === null ? null : new Uint8Array(reply)),
    },
  },
};

export interface RedisConnectionOptions {
  readonly url: string;
  /** The certificate of the authority that signed the server's; PEM. */
  readonly ca?: string | undefined;
  /** Makes Redis tell when what was read here has changed. */
  readonly cache?: BasicClientSideCache;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  /** How long an answer may take. */
  readonly answerMs: number;
  /** Called each time when it is connected. */
  readonly onReady: () => void;
  /** Ends the waiting for the first connection. */
  readonly signal?: AbortSignal | undefined;
}

export type RedisClient = ReturnType<typeof makeClient>;

function makeClient({ url, ca, cache }: RedisConnectionOptions) {
  const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer };
  return createClient({
    url,
    RESP: 3,
    // It is made again here, so that there is one place that waits and says so.
    socket: { reconnectStrategy: false, socketTimeout: SILENCE_MS, ...(ca ? { ca } : {}) },
    pingInterval: PING_MS,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_COMMANDS,
    maintNotifications: 'disabled',
    // The time for an answer is watched here; theirs makes a signal for each command.
    commandOptions: { typeMapping, timeout: 0 },
    modules: MODULES,
    scripts: SCRIPTS,
    ...(cache === undefined ? {} : { clientSideCache: cache }),
  });
}

/** A value as it lies there, from the cache where there is one. */
export function read(client: RedisClient, key: string): Promise<Uint8Array | null> {
  return client.live.read(key) as Promise<Uint8Array | null>;
}

export class RedisConnection {
  readonly client: RedisClient;
  readonly #options: RedisConnectionOptions;
  readonly #outage: Outage;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Commands not answered in time: until they are, or the connection is lost, none follows. */
  #late = 0;

  private constructor(options: RedisConnectionOptions) {
    this.#options = options;
    const down = `Redis at ${addressOf(options.url)} can't be used: trying again`;
    this.#outage = new Outage({ ...options, down, up: 'Redis is back' });
    this.client = makeClient(options);
    // What it has to say is known from `connect`, or by the loss of the connection.
    this.client.on('error', () => {});
  }

  /** Waits until Redis can be reached; rejects with `live_refused` when it will not have us. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    try {
      const connection = new RedisConnection(options);
      await connection.#connect(options.signal, isRefusal);
      if (options.signal?.aborted) {
        await connection.close();
        throw unavailable(new Error('Redis was not waited for'));
      }
      connection.#running = connection.#keep();
      return connection;
    } catch (cause) {
      if (cause instanceof LullError) throw cause;
      const message = `Redis at ${addressOf(options.url)} can't be used: ${messageOf(cause)}`;
      throw new LullError('live_refused', message, { cause });
    }
  }

  get isReady(): boolean {
    return this.client.isReady && this.#late === 0;
  }

  /** Why it can't be asked; null when it can. */
  problem(): string | null {
    if (this.client.isReady) return this.#late > 0 ? 'Redis does not answer' : null;
    return this.#outage.reason ?? 'the connection to Redis was lost';
  }

  /** Rejects with `live_unavailable` at once when there is no connection, soon when no answer. */
  async ask<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      const problem = this.problem();
      if (problem !== null) throw new Error(problem);
      return await this.#inTime(command(this.client));
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    if (this.client.isOpen) this.client.destroy();
    await this.#running;
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (this.client.isOpen) await once(this.client, 'terminated', { signal }).catch(() => {});
      await this.#connect(signal, () => false);
    }
  }

  /** Tries until it is connected, the signal aborts, or trying again is pointless. */
  async #connect(
    signal: AbortSignal | undefined,
    isPointless: (error: unknown) => boolean,
  ): Promise<void> {
    while (signal?.aborted !== true) {
      try {
        await this.client.connect();
        await checkVersion(this.client);
        this.#outage.over();
        this.#options.onReady();
        return;
      } catch (error) {
        if (this.client.isOpen) this.client.destroy();
        if (isPointless(error)) throw error;
        await this.#outage.wait(unavailable(error), signal);
      }
    }
  }

  #inTime<T>(reply: Promise<T>): Promise<T> {
    const { answerMs } = this.#options;
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      const giveUp = () => {
        if (isAnswered) return;
        this.#late++;
        const settled = () => void this.#late--;
        reply.then(settled, settled);
        reject(new Error(`Redis has not answered for ${answerMs} ms`));
      };
      // Where it was this process that stood still, the answer is there and only to be read.
      const timer = setTimeout(() => setImmediate(giveUp), answerMs);
      const answered = () => {
        isAnswered = true;
        clearTimeout(timer);
      };
      reply.then(answered, answered);
      reply.then(resolve, reject);
    });
  }
}

class TooOld extends Error {}

/** Too old, or wrong password, rights or TLS: what waiting doesn't change. */
function isRefusal(error: unknown): boolean {
  if (error instanceof TooOld) return true;
  if (error instanceof ErrorReply) {
    return !/^(LOADING|MASTERDOWN|ERR max number of)/.test(error.message);
  }
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && /CERT|SIGNATURE|^ERR_(TLS|SSL)|^EPROTO$/.test(code);
}

async function checkVersion(client: RedisClient): Promise<void> {
  const version = /redis_version:(\S+)/.exec((await client.info('server')).toString())?.[1];
  if (version !== undefined && Number.parseInt(version, 10) >= OLDEST_VERSION) return;
  throw new TooOld(`it is version ${version}, and ${OLDEST_VERSION} is the oldest that will do`);
}

function unavailable(cause: unknown): LullError {
  return new LullError('live_unavailable', messageOf(cause), { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Without the password. */
function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
