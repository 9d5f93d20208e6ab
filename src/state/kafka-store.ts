/**
 * The state store on Kafka: every commit is one transaction (changelog, outputs, positions), and
 * only then a write to RocksDB, which is a copy of the changelog and never ahead of it.
 */
import { LullError } from '../errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { committedOffsets } from '../kafka/committed-offsets.ts';
import type { Assignment } from '../kafka/group.ts';
import { LATEST, listOffsets } from '../kafka/offsets.ts';
import { type ReadyTopic, refreshTopic } from '../kafka/topics.ts';
import { type PartitionBatches, TransactionAborted, Transactions } from '../kafka/transactions.ts';
import type { TopicReader } from '../log/log.ts';
import { changelogBatches, outputBatches } from './changelog.ts';
import { Follower } from './follower.ts';
import { LocalCopies } from './local-copies.ts';
import { checkPartitions, dueUsers, getMany, scan } from './partition-data.ts';
import { Questions } from './questions.ts';
import {
  type Checkpoint,
  CommitAborted,
  type DeadlineEntry,
  type PartitionCommit,
  type StateStore,
} from './state.ts';

export interface KafkaStoreOptions {
  readonly directory: string;
  readonly cluster: Cluster;
  readonly groupId: string;
  /** Whose positions are committed. */
  readonly inputTopic: string;
  readonly changelog: ReadyTopic;
  /** Topics that commits may write to, by the name that outputs give. */
  readonly outputs: ReadonlyMap<string, OutputTarget>;
  /** Records of the changelog that are applied at once; default 20,000. */
  readonly chunkRecords?: number;
}

export interface OutputTarget {
  readonly topic: ReadyTopic;
  readonly reader: TopicReader;
}

/** How often copies that have everything are marked so; well below any retention. */
const CURRENT_INTERVAL_MS = 10 * 60_000;
const WATCH_INTERVAL_MS = 30_000;

/** Opens the folder, and ends what this instance's earlier process may have left open. */
export async function openKafkaStore(
  options: KafkaStoreOptions,
  signal?: AbortSignal,
): Promise<KafkaStore> {
  const { directory, changelog } = options;
  const copies = await LocalCopies.open({ directory, changelogId: changelog.topicId });
  try {
    const store = new KafkaStore(options, copies);
    await store.begin(signal);
    return store;
  } catch (error) {
    await copies.close();
    throw error;
  }
}

export class KafkaStore implements StateStore {
  /** Of the folder: what its transactions and its place in the group go by. */
  readonly instanceId: string;
  readonly transactionalId: string;
  readonly #options: KafkaStoreOptions;
  readonly #copies: LocalCopies;
  readonly #transactions: Transactions;
  readonly #follower: Follower;
  readonly #committedOffsets: Questions;
  readonly #endOffsets: Questions;
  readonly #closing = new AbortController();
  #assignment: Assignment | null = null;
  /** Settles once no predecessor can commit any more. */
  #fenced: Promise<unknown> = Promise.resolve();
  /** Partitions that may be committed; all of them go when a commit is aborted. */
  #opened = new Set<number>();
  /** The end of the queue of commits; never rejects. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Once set, what counts can't be told, and every call rejects with it. */
  #failure: Error | null = null;

  /** Use `openKafkaStore`. */
  constructor(options: KafkaStoreOptions, copies: LocalCopies) {
    const { cluster, groupId, inputTopic, changelog } = options;
    this.#options = options;
    this.#copies = copies;
    this.instanceId = copies.instanceId;
    this.transactionalId = `lull-${copies.instanceId}`;
    const { transactionalId } = this;
    this.#transactions = new Transactions({ cluster, transactionalId, groupId, inputTopic });
    this.#follower = new Follower({
      cluster,
      changelog,
      copies,
      chunkRecords: options.chunkRecords,
      staleAfterMs: changelog.deleteRetentionMs / 2,
      onFailure: (partition, error) =>
        cluster.logger.error({ err: error, partition }, 'a standby copy is given up'),
    });
    const { signal } = this.#closing;
    this.#committedOffsets = new Questions((partitions) =>
      committedOffsets(cluster, groupId, inputTopic, partitions, signal),
    );
    this.#endOffsets = new Questions((partitions) =>
      listOffsets(cluster, changelog.name, partitions, LATEST, 'uncommitted', signal),
    );
  }

  async begin(signal?: AbortSignal): Promise<void> {
    await this.#transactions.begin(signal);
    void this.#keepCurrent();
    void this.#watchTopics();
  }

  /** What this instance was in the group when it last joined; null before the first time. */
  get earlierMemberId(): string | null {
    return this.#copies.memberId;
  }

  /** Position of each partition that there is a copy of here. */
  copies(): ReadonlyMap<number, number> {
    return this.#copies.positions();
  }

  /** Records of the changelog that a standby copy lacks; null where none is kept. */
  lagRecords(partition: number): number | null {
    return this.#follower.lagRecords(partition);
  }

  /**
   * Since when a standby copy has everything, epoch milliseconds: now, if it has; null where there
   * is none.
   */
  standbyAsOfMs(partition: number): number | null {
    if (this.#follower.lagRecords(partition) === null) return null;
    if (this.#follower.isCurrent(partition)) return this.#options.cluster.clock.nowMs();
    return this.#copies.get(partition)?.currentMs ?? 0;
  }

  /** Takes what the group has given: to be called before any of it is opened. */
  assign(assignment: Assignment): void {
    const { owned, standby, predecessors, memberId } = assignment;
    this.#assignment = assignment;
    this.#opened = new Set();
    const { signal } = this.#closing;
    this.#fenced = Promise.all([
      ...predecessors.map((id) => this.#transactions.fence(id, signal)),
      this.#copies.keepMemberId(memberId),
    ]);
    const following = this.#follower.standBy(standby, owned);
    // Who opens a partition hears of it.
    this.#fenced.catch(() => {});
    following.catch((error: unknown) => {
      if (signal.aborted) return;
      this.#options.cluster.logger.error({ err: error }, 'standby copies are not kept');
    });
  }

  /** Lets the commit under way end; what comes later is aborted, until the next assignment. */
  async revoke(): Promise<void> {
    this.#opened = new Set();
    await this.#queue;
  }

  async open(partition: number, signal?: AbortSignal): Promise<Checkpoint | null> {
    this.#check();
    const stopped = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    const assignment = this.#assignment;
    if (assignment?.owned.includes(partition) !== true) {
      throw new CommitAborted(`partition ${partition} is not assigned here`);
    }
    const opened = this.#opened;
    await aborted(this.#fenced, stopped);
    const committed = await aborted(this.#committedOffsets.ask(partition), stopped);
    // Asked for only now: whatever led to that position lies below it (KAFKA-10167).
    const end = await aborted(this.#endOffsets.ask(partition), stopped);
    await this.#follower.catchUp(partition, end, stopped);
    await this.#follower.release(partition);
    stopped.throwIfAborted();
    const checkpoint = this.#copies.get(partition)?.checkpoint ?? null;
    this.#compare(partition, committed, checkpoint);
    if (opened !== this.#opened) throw new CommitAborted(`partition ${partition} was taken away`);
    opened.add(partition);
    return checkpoint;
  }

  async getMany(partition: number, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    return getMany(this.#copies.database, partition, keys);
  }

  dueUsers(
    partition: number,
    after: DeadlineEntry | null,
    untilMinute: number,
    limit: number,
  ): Promise<DeadlineEntry[]> {
    return dueUsers(this.#copies.database, partition, after, untilMinute, limit);
  }

  scan(partition: number, prefix: Uint8Array) {
    return scan(this.#copies.database, partition, prefix);
  }

  async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    this.#check();
    checkPartitions(commits, this.#options.changelog.partitions.length);
    for (const { outputs } of commits) for (const { topic } of outputs) this.#output(topic);
    const opened = this.#opened;
    const turn = this.#queue.then(() => this.#commitNow(commits, opened));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  position(partition: number): number {
    return this.#copies.get(partition)?.position ?? 0;
  }

  /** Kafka has what was committed on all its replicas. */
  async sync(): Promise<ReadonlyMap<number, number>> {
    this.#check();
    const offsets = new Map<number, number>();
    for (const partition of [...this.#opened].sort((one, other) => one - other)) {
      const checkpoint = this.#copies.get(partition)?.checkpoint;
      if (checkpoint) offsets.set(partition, checkpoint.nextOffset);
    }
    return offsets;
  }

  topic(name: string): TopicReader {
    return this.#output(name).reader;
  }

  async releaseOutputs(): Promise<void> {}

  sizeBytes(): Promise<number> {
    return this.#copies.database.sizeBytes();
  }

  /** Lets commits under way end. The readers of outputs and the cluster are their maker's. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new LullError('log_closed', 'the state is closed'));
    await this.#queue;
    await this.#follower.close();
    this.#transactions.close();
    await this.#copies.close();
  }

  /** `opened`: what was open when it was called; another set by now means that it is in vain. */
  async #commitNow(
    commits: readonly PartitionCommit[],
    opened: ReadonlySet<number>,
  ): Promise<number[]> {
    if (this.#failure !== null) throw this.#failure;
    const closed = commits.find(({ partition }) => !opened.has(partition));
    if (opened !== this.#opened || closed !== undefined) {
      throw new CommitAborted('a partition has been taken away, or an earlier commit was aborted');
    }
    if (commits.length === 0) return [];
    try {
      const positions = await this.#transact(commits);
      await this.#copies.write(commits, positions, this.#options.cluster.clock.nowMs());
      return positions;
    } catch (error) {
      this.#opened = new Set();
      if (error instanceof TransactionAborted) {
        throw new CommitAborted(error.message, { cause: error });
      }
      this.#failure = error as Error;
      throw error;
    }
  }

  async #transact(commits: readonly PartitionCommit[]): Promise<number[]> {
    const { changelog } = this.#options;
    const { transactionalId } = this;
    const writes: PartitionBatches[] = commits.map((commit) => {
      const batches = changelogBatches(commit, transactionalId, changelog);
      return { topic: changelog.name, partition: commit.partition, batches };
    });
    for (const { partition, outputs } of commits) {
      for (const [name, records] of Map.groupBy(outputs, ({ topic }) => topic)) {
        const { topic } = this.#output(name);
        writes.push({ topic: topic.name, partition, batches: outputBatches(records, topic) });
      }
    }
    const offsets = commits.map(({ partition, checkpoint }) => {
      return { partition, offset: checkpoint.nextOffset };
    });
    const last = await this.#transactions.run({ member: this.#assignment!, offsets, writes });
    return commits.map((_, index) => last[index]! + 1);
  }

  /** The two must tell the same, since they are committed together. */
  #compare(partition: number, committed: number, checkpoint: Checkpoint | null): void {
    const known = checkpoint?.nextOffset ?? -1;
    if (committed === known) return;
    const { groupId, inputTopic, changelog, cluster } = this.#options;
    if (committed < 0) {
      // Brokers forget that of a group that was empty for a week; the next commit restores it.
      const message = 'the group has no position any more: that in the changelog counts';
      return cluster.logger.warn({ groupId, partition, nextOffset: known }, message);
    }
    const place = (offset: number) => (offset < 0 ? 'none' : `${offset}`);
    throw new LullError(
      'changelog_mismatch',
      `partition ${partition} of ${inputTopic}: the position of ${groupId} is ` +
        `${place(committed)}, that in ${changelog.name} ${place(known)}`,
    );
  }

  async #keepCurrent(): Promise<void> {
    const { clock, logger } = this.#options.cluster;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await clock.sleep(CURRENT_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const current = new Set([...this.#opened, ...this.#follower.current()]);
      await this.#copies.keepCurrent([...current], clock.nowMs()).catch((error: unknown) => {
        if (!signal.aborted) logger.error({ err: error }, 'the state can not be written');
      });
    }
  }

  /** Topics that were deleted and made anew have lost what was written: nothing may follow it. */
  async #watchTopics(): Promise<void> {
    const { cluster, changelog, outputs } = this.#options;
    const { signal } = this.#closing;
    const topics = [changelog, ...[...outputs.values()].map(({ topic }) => topic)];
    while (!signal.aborted) {
      await cluster.clock.sleep(WATCH_INTERVAL_MS, signal);
      try {
        for (const topic of topics) await cluster.retry(() => refreshTopic(cluster, topic), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failure ??= error as Error;
        return;
      }
    }
  }

  #output(name: string): OutputTarget {
    const output = this.#options.outputs.get(name);
    if (output === undefined) throw new Error(`the state has no topic ${name}`);
    return output;
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
    this.#closing.signal.throwIfAborted();
  }
}

/** The work's outcome, unless the signal aborts before; the work itself goes on. */
function aborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // Where nobody waits any more, nobody minds how it ends.
    work.catch(() => {});
    if (signal.aborted) return reject(signal.reason);
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
