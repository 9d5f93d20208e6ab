/** Log, state and live cache of a simulated process, with a crash point at each of their steps. */
import type { Live, LiveFilter, LiveUpdate } from '../../src/live/live.ts';
import type { TopicReader } from '../../src/log/log.ts';
import type { DeadlineEntry, PartitionCommit, StateStore } from '../../src/state/state.ts';
import type { Life } from './crash-points.ts';

export class FaultyReader implements TopicReader {
  readonly name: string;
  readonly logId: string;
  readonly partitionCount: number;
  readonly #inner: TopicReader;
  readonly #life: Life;

  constructor(inner: TopicReader, life: Life) {
    this.name = inner.name;
    this.logId = inner.logId;
    this.partitionCount = inner.partitionCount;
    this.#inner = inner;
    this.#life = life;
  }

  firstOffset(partition: number): number {
    return this.#inner.firstOffset(partition);
  }

  endOffset(partition: number): number {
    return this.#inner.endOffset(partition);
  }

  offsetAt(partition: number, arrivalMs: number): Promise<number> {
    return this.#inner.offsetAt(partition, arrivalMs);
  }

  async read(partition: number, fromOffset: number, maxBytes: number) {
    await this.#life.pass('the log to be read');
    return this.#inner.read(partition, fromOffset, maxBytes);
  }

  onAppend(listener: (partition: number) => void): () => void {
    return this.#inner.onAppend(listener);
  }
}

export class FaultyStore implements StateStore {
  protected readonly inner: StateStore;
  readonly #life: Life;

  constructor(inner: StateStore, life: Life) {
    this.inner = inner;
    this.#life = life;
  }

  async open(partition: number) {
    await this.#life.pass('restoring');
    return this.inner.open(partition);
  }

  async getMany(partition: number, keys: readonly Uint8Array[]) {
    await this.#life.pass('the state to be read');
    return this.inner.getMany(partition, keys);
  }

  async dueUsers(
    partition: number,
    after: DeadlineEntry | null,
    untilMinute: number,
    limit: number,
  ) {
    await this.#life.pass('the due to be found');
    return this.inner.dueUsers(partition, after, untilMinute, limit);
  }

  async *scan(partition: number, prefix: Uint8Array) {
    for await (const entry of this.inner.scan(partition, prefix)) {
      await this.#life.pass('restoring');
      yield entry;
    }
  }

  async commit(commits: readonly PartitionCommit[]): Promise<number[]> {
    const positions = await this.inner.commit(commits);
    await this.#life.pass('stored, not published');
    return positions;
  }

  position(partition: number): number {
    return this.inner.position(partition);
  }

  async sync() {
    await this.#life.pass('a sync to begin');
    const offsets = await this.inner.sync();
    await this.#life.pass('synced, not released');
    return offsets;
  }

  topic(name: string): TopicReader {
    return this.inner.topic(name);
  }

  releaseOutputs(topic: string, offsets: readonly number[]): Promise<void> {
    return this.inner.releaseOutputs(topic, offsets);
  }

  sizeBytes(): Promise<number> {
    return this.inner.sizeBytes();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

export class FaultyLive implements Live {
  readonly #inner: Live;
  readonly #life: Life;

  constructor(inner: Live, life: Life) {
    this.#inner = inner;
    this.#life = life;
  }

  async publish(partition: number, position: number, updates: readonly LiveUpdate[]) {
    const half = updates.length >> 1;
    await this.#inner.publish(partition, position, updates.slice(0, half));
    await this.#life.pass('half published');
    const isPublished = await this.#inner.publish(partition, position, updates.slice(half));
    await this.#life.pass('published');
    return isPublished;
  }

  publishedPosition(partition: number, from?: number) {
    return this.#inner.publishedPosition(partition, from);
  }

  refill(...of: Parameters<Live['refill']>) {
    return this.#inner.refill(...of);
  }

  onRefillNeeded(...listener: Parameters<Live['onRefillNeeded']>) {
    return this.#inner.onRefillNeeded(...listener);
  }

  get(userId: string) {
    return this.#inner.get(userId);
  }

  session(sessionId: string) {
    return this.#inner.session(sessionId);
  }

  list(filter: LiveFilter, limit: number, cursor: string | null) {
    return this.#inner.list(filter, limit, cursor);
  }

  size() {
    return this.#inner.size();
  }

  onChange(...listener: Parameters<Live['onChange']>) {
    return this.#inner.onChange(...listener);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
