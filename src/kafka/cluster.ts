/**
 * The brokers: connections by purpose, who leads which partition, who coordinates what, and how
 * long to go on when one of them is away.
 */
import { isIP } from 'node:net';
import {
  type API,
  apiVersionsV4,
  type Broker,
  type Connection,
  type ConnectionOptions,
  ConnectionPool,
  findCoordinatorV6,
  metadataV12,
  ResponseError,
} from '@platformatic/kafka';
import { LullError } from '../errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { Outage } from '../ops/outage.ts';
import { CODE, codeOf, cutHandshake, describeFailure, mayPass, refusalOf } from './failure.ts';

export interface ClusterOptions {
  /** `host:port` of some brokers, with commas between. */
  readonly bootstrapServers: string;
  /** Shown in the brokers' logs. */
  readonly clientId: string;
  readonly tls?: NonNullable<ConnectionOptions['tls']>;
  readonly sasl?: NonNullable<ConnectionOptions['sasl']>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PartitionPlace {
  /** -1 while there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

export interface TopicPlaces {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionPlace[];
}

/**
 * Requests of one lane wait for each other at a broker, those of others don't: a long poll, a
 * large produce request and a heartbeat must not stand in each other's way.
 */
export type Lane = string;

const CONTROL: Lane = 'control';
const CONNECT_TIMEOUT_MS = 5000;
/** A broker that is there and says nothing is given up then. */
const REQUEST_TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;
const QUIET_MS = 3000;
/** Metadata isn't asked for more often than this, however many partitions are without leader. */
const REFRESH_MS = 100;

type MetadataResponse = Awaited<ReturnType<typeof metadataV12.api.async>>;

const TRANSACTION_KEY = 1;
const GROUP_KEY = 0;

/** Connects; waits for a first broker. Rejects with `kafka_refused` and `kafka_too_old`. */
export async function connectCluster(
  options: ClusterOptions,
  signal?: AbortSignal,
): Promise<Cluster> {
  const cluster = new Cluster(options);
  try {
    await cluster.retry(() => cluster.checkBroker(), signal);
    cluster.noteRecovery();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

export class Cluster {
  readonly clock: Clock;
  readonly logger: Logger;
  /** As they were configured, for messages. */
  readonly bootstrapServers: string;
  readonly #options: ClusterOptions;
  readonly #bootstrap: readonly Broker[];
  readonly #brokers = new Map<number, Broker>();
  readonly #topics = new Map<string, TopicPlaces>();
  readonly #refreshes = new Map<string, Promise<TopicPlaces>>();
  readonly #refreshedMs = new Map<string, number>();
  readonly #pools = new Map<Lane, ConnectionPool>();
  #lanes = 0;
  readonly #outage: Outage;
  #failedMs = 0;
  #alert: unknown = null;
  readonly #closed = new AbortController();

  constructor(options: ClusterOptions) {
    this.clock = options.clock;
    this.logger = options.logger;
    this.bootstrapServers = options.bootstrapServers;
    this.#options = options;
    this.#bootstrap = parseBrokers(options.bootstrapServers);
    const { clock, logger, bootstrapServers } = options;
    this.#outage = new Outage({
      clock,
      logger,
      down: `Kafka at ${bootstrapServers} does not serve: waiting for it`,
      up: 'Kafka serves again',
    });
  }

  /** Aborts with `close`. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Why Kafka does not serve at present; null when all is well. */
  get problem(): string | null {
    return this.#outage.reason;
  }

  get brokerCount(): number {
    return this.#brokers.size;
  }

  /** Sends a request to a broker over a connection of that lane. */
  async call<Parameters extends unknown[], Answer>(
    node: number,
    lane: Lane,
    api: API<Parameters, Answer>,
    ...parameters: Parameters
  ): Promise<Answer> {
    const broker = this.#brokers.get(node);
    const connection = await (broker === undefined ? this.#any(lane) : this.#to(lane, broker));
    return api.async(connection, ...parameters);
  }

  /** The same to whichever broker answers. */
  async callAny<Parameters extends unknown[], Answer>(
    api: API<Parameters, Answer>,
    ...parameters: Parameters
  ): Promise<Answer> {
    return api.async(await this.#any(CONTROL), ...parameters);
  }

  /**
   * Does it until it succeeds, while what is in the way may pass; says so when it lasts. Rejects
   * with `kafka_refused` when the brokers won't have this client, with `log_closed` once closed.
   */
  async retry<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const signals = [this.#closed.signal, ...(signal === undefined ? [] : [signal])];
    const stopped = AbortSignal.any(signals);
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      stopped.throwIfAborted();
      try {
        const result = await work();
        this.noteSuccess();
        return result;
      } catch (error) {
        stopped.throwIfAborted();
        const reason = this.#brokers.size === 0 ? (this.#alert ?? error) : error;
        if (!mayPass(reason)) throw this.explain(reason);
        this.noteFailure(error, waitMs);
        await this.clock.sleep(waitMs, stopped);
      }
    }
  }

  /** Says that Kafka doesn't serve, once and then once a minute, if it has lasted for a while. */
  noteFailure(error: unknown, waitMs: number): void {
    if (waitMs < LONGEST_WAIT_MS) return;
    this.#failedMs = this.clock.monotonicMs();
    this.#outage.note(new LullError('kafka_unavailable', describeFailure(error)));
  }

  /** All is well once nothing has failed for a while: one partition's success says little. */
  noteSuccess(): void {
    if (this.#outage.reason === null) return;
    if (this.clock.monotonicMs() - this.#failedMs > QUIET_MS) this.#outage.over();
  }

  /** Whatever failed before was this. */
  noteRecovery(): void {
    this.#outage.over();
  }

  /** The error as it is told to people, where it is one that nobody here can do anything about. */
  explain(error: unknown): unknown {
    const refusal = refusalOf(error);
    if (refusal === null) return error;
    const message = `Kafka at ${this.bootstrapServers} refuses the connection: ${refusal}`;
    return new LullError('kafka_refused', message, { cause: error });
  }

  /** Where a topic's partitions are, as far as is known; asks when nothing is. */
  async topic(name: string, signal?: AbortSignal): Promise<TopicPlaces> {
    return this.#topics.get(name) ?? this.retry(() => this.refresh(name), signal);
  }

  /** -1 when it isn't known who leads the partition. */
  leaderOf(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leader ?? -1;
  }

  placeOf(topic: string, partition: number): PartitionPlace | undefined {
    return this.#topics.get(topic)?.partitions[partition];
  }

  /** Asks once where a topic's partitions are; callers at the same time share the question. */
  refresh(name: string): Promise<TopicPlaces> {
    const running = this.#refreshes.get(name);
    if (running !== undefined) return running;
    const asked = this.#ask(name).finally(() => this.#refreshes.delete(name));
    this.#refreshes.set(name, asked);
    return asked;
  }

  /** The broker that coordinates a group or a transactional id. Makes no use of what was known. */
  async coordinator(kind: 'group' | 'transaction', key: string): Promise<number> {
    const type = kind === 'group' ? GROUP_KEY : TRANSACTION_KEY;
    const { coordinators } = await this.callAny(findCoordinatorV6.api, type, [key]);
    const { nodeId, host, port } = coordinators[0]!;
    this.#brokers.set(nodeId, { host, port });
    return nodeId;
  }

  /** Takes brokers from what one of them says, and refuses those that are too old. */
  async checkBroker(): Promise<void> {
    const versions = await this.callAny(apiVersionsV4.api, 'lull', '1').catch((error) => {
      // An old broker answers in a form of its own, which can't be read.
      const isUnreadable = codeOf(error) === null && !mayPass(error) && refusalOf(error) === null;
      if (!isUnreadable && codeOf(error) !== CODE.unsupportedVersion) throw error;
      throw tooOld(this.bootstrapServers, 'something older');
    });
    const feature = versions.finalizedFeatures?.find(({ name }) => name === 'transaction.version');
    const level = feature?.maxVersionLevel ?? 0;
    if (level < 2) throw tooOld(this.bootstrapServers, `transaction.version ${level}`);
    this.#learn(await this.callAny(metadataV12.api, [], false));
  }

  /** A name for the lanes of one user of the cluster: those that begin with it are its own. */
  newLane(name: string): Lane {
    this.#lanes++;
    return `${name}#${this.#lanes}`;
  }

  /** Ends the connections of one user; what waits for an answer there rejects. */
  releaseLanes(own: Lane): void {
    for (const [lane, pool] of this.#pools) {
      if (!lane.startsWith(own)) continue;
      this.#pools.delete(lane);
      void pool.close().catch(() => {});
    }
  }

  /** Connections end; what waits for an answer or a retry rejects. */
  async close(): Promise<void> {
    this.#closed.abort(new LullError('log_closed', 'the connection to Kafka is closed'));
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  async #ask(name: string): Promise<TopicPlaces> {
    const { clock } = this;
    const sinceMs = clock.monotonicMs() - (this.#refreshedMs.get(name) ?? -REFRESH_MS);
    if (sinceMs < REFRESH_MS) await clock.sleep(REFRESH_MS - sinceMs, this.#closed.signal);
    this.#refreshedMs.set(name, clock.monotonicMs());
    const answer = await this.callAny(metadataV12.api, [name], false).catch((error) => {
      // Some partition without a leader is no reason to know nothing of the others.
      if (!(error instanceof ResponseError)) throw error;
      return error['response'] as MetadataResponse;
    });
    this.#learn(answer);
    const topic = answer.topics[0]!;
    if (topic.errorCode !== CODE.none) throw responseError(metadataV12.api, topic.errorCode);
    const partitions: PartitionPlace[] = new Array(topic.partitions.length);
    for (const { partitionIndex, leaderId, leaderEpoch } of topic.partitions) {
      partitions[partitionIndex] = { leader: leaderId, leaderEpoch };
    }
    const places = { name, topicId: topic.topicId, partitions };
    this.#topics.set(name, places);
    return places;
  }

  #learn({ brokers }: MetadataResponse): void {
    if (brokers.length === 0) return;
    this.#brokers.clear();
    for (const { nodeId, host, port } of brokers) this.#brokers.set(nodeId, { host, port });
  }

  #to(lane: Lane, broker: Broker): Promise<Connection> {
    return this.#connected(this.#pool(lane).get(broker));
  }

  /** Those that are known to be there first, then those that were configured. */
  #any(lane: Lane): Promise<Connection> {
    const brokers = [...this.#brokers.values(), ...this.#bootstrap];
    return this.#connected(this.#pool(lane).getFirstAvailable(brokers));
  }

  /** Once brokers have spoken TLS, one that hangs up on it has died: no wrong setting. */
  async #connected(connecting: Promise<Connection>): Promise<Connection> {
    try {
      return await connecting;
    } catch (error) {
      throw this.#brokers.size === 0 ? error : (cutHandshake(error) ?? error);
    }
  }

  #pool(lane: Lane): ConnectionPool {
    const known = this.#pools.get(lane);
    if (known !== undefined) return known;
    const { clientId, tls, sasl } = this.#options;
    const pool = new ConnectionPool(clientId, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      // Who sends in order waits for answers himself.
      maxInflights: 1000,
      // Brokers behind one address are told apart by the name in the handshake; addresses are none.
      ...(tls === undefined ? {} : { tls, tlsServerName: this.#bootstrap.every(isNamed) }),
      ...(sasl === undefined ? {} : { sasl }),
    });
    // A connection says so each time it fails; requests say it too, and there it is heard, but for
    // a certificate that the broker refuses: TLS 1.3 says that once the handshake is done.
    pool.on('connecting', ({ connection }) => {
      connection.on('error', (error) => {
        if (refusalOf(error) !== null) this.#alert = error;
      });
    });
    this.#pools.set(lane, pool);
    return pool;
  }
}

function isNamed({ host }: Broker): boolean {
  return isIP(host) === 0;
}

function tooOld(servers: string, found: string): LullError {
  const message = `Kafka at ${servers} has no transactions of version 2 (found: ${found})`;
  return new LullError('kafka_too_old', message);
}

export function responseError(api: { key: number; version: number }, code: number): ResponseError {
  return new ResponseError(api.key, api.version, { '/': [code, null] }, undefined);
}

function parseBrokers(servers: string): Broker[] {
  return servers
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '')
    .map((server) => {
      const [, host, port] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(server)!;
      return { host: host!, port: Number(port ?? 9092) };
    });
}
