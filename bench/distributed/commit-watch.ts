/** Sees from outside when the processors' group commits each partition. */
import { setTimeout as sleep } from 'node:timers/promises';
import { offsetFetchV9 } from '@platformatic/kafka';
import type { Cluster } from '../../src/kafka/cluster.ts';
import { Coordinator } from '../../src/kafka/coordinator.ts';
import { EARLIEST, LATEST, listOffsets } from '../../src/kafka/offsets.ts';
import { GROUP, PARTITIONS } from './system.ts';

const TOPIC = 'user-events';
const POLL_MS = 10;
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

interface Move {
  readonly atMs: number;
  readonly offset: number;
}

export class CommitWatch {
  readonly #cluster: Cluster;
  readonly #coordinator: Coordinator;
  #moves: Move[][] = ALL.map(() => []);
  #isStopped = false;
  #running: Promise<void>;
  /** Longest time between two looks: what is measured isn't finer. */
  longestPollMs = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#coordinator = new Coordinator(cluster, 'group', GROUP, 'watch');
    this.#running = this.#run();
  }

  /** Forgets what was seen, but for the newest position of each partition. */
  reset(): void {
    this.#moves = this.#moves.map((moves) => moves.slice(-1));
    this.longestPollMs = 0;
  }

  /** Where the log of each partition ends now. */
  async ends(): Promise<number[]> {
    const ends = await listOffsets(this.#cluster, TOPIC, ALL, LATEST, 'uncommitted');
    return ALL.map((partition) => ends.get(partition)!);
  }

  /** When a partition was first seen beyond each offset; null while some isn't. */
  passed(offsets: readonly number[]): number[] | null {
    const times = offsets.map((end, partition) => {
      return this.#moves[partition]!.find(({ offset }) => offset > end)?.atMs ?? null;
    });
    return times.includes(null) ? null : (times as number[]);
  }

  /** How far the group has got with all that the log held at the start of the call. */
  async caughtUp(): Promise<boolean> {
    const starts = await listOffsets(this.#cluster, TOPIC, ALL, EARLIEST, 'uncommitted');
    const ends = await this.ends();
    return ends.every((end, partition) => {
      const offset = this.#moves[partition]!.at(-1)?.offset ?? starts.get(partition)!;
      return end - offset < 1000;
    });
  }

  /** The longest time that a partition did not move, of those that ended after `sinceMs`. */
  longestGapMs(sinceMs: number): number {
    const gaps = this.#moves.map((moves) => {
      const times = [...moves.map(({ atMs }) => atMs), performance.now()];
      const later = times
        .slice(1)
        .map((atMs, index) => (atMs > sinceMs ? atMs - times[index]! : 0));
      return Math.max(0, ...later);
    });
    return Math.max(...gaps);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const topics = [{ name: TOPIC, partitionIndexes: ALL }];
    const group = { groupId: GROUP, memberId: null, memberEpoch: -1, topics };
    let seenMs = performance.now();
    while (!this.#isStopped) {
      await sleep(POLL_MS);
      const { groups } = await this.#cluster.retry(() =>
        // What is committed while a transaction is open is the position before it.
        this.#coordinator.call(offsetFetchV9.api, [group], false),
      );
      const atMs = performance.now();
      this.longestPollMs = Math.max(this.longestPollMs, atMs - seenMs);
      seenMs = atMs;
      for (const { partitions } of groups[0]!.topics) {
        for (const { partitionIndex, committedOffset } of partitions) {
          this.#note(partitionIndex, { atMs, offset: Number(committedOffset) });
        }
      }
    }
  }

  #note(partition: number, move: Move): void {
    const moves = this.#moves[partition]!;
    if (move.offset > (moves.at(-1)?.offset ?? -1)) moves.push(move);
  }
}
