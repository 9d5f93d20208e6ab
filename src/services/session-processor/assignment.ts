/** The partitions given to this process at one time: their tasks, what wakes them, their end. */
import type { Clock } from '../../ops/clock.ts';
import type { PartitionTask } from './partition-task.ts';

export class Assignment {
  readonly partitions: readonly number[];
  readonly #tasks = new Map<number, PartitionTask>();
  /** Those with a backlog. */
  readonly #behind = new Set<PartitionTask>();
  readonly #wakes = new Map<number, () => void>();
  readonly #over = new AbortController();
  #isDropped = false;

  constructor(partitions: readonly number[]) {
    this.partitions = [...partitions].sort((one, other) => one - other);
  }

  /** Aborts when no more turns are to be started. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Whether what its tasks hold in memory is worth nothing any more. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  /** Those that are open. */
  get tasks(): PartitionTask[] {
    return [...this.#tasks.values()];
  }

  task(partition: number): PartitionTask | undefined {
    return this.#tasks.get(partition);
  }

  has(partition: number): boolean {
    return this.partitions.includes(partition);
  }

  add(task: PartitionTask): void {
    this.#tasks.set(task.number, task);
  }

  setBehind(task: PartitionTask, isBehind: boolean): void {
    if (isBehind) this.#behind.add(task);
    else this.#behind.delete(task);
  }

  /** Ends the nap of a task that was made for its partition, also one that has yet to begin. */
  wake(partition: number): void {
    this.#wakes.get(partition)?.();
  }

  /** A nap to be taken once; what wakes it from now on counts. */
  nap(partition: number, clock: Clock): (durationMs: number) => Promise<void> {
    const { promise: woken, resolve } = Promise.withResolvers<void>();
    this.#wakes.set(partition, resolve);
    return async (durationMs) => {
      if (this.isOver) return;
      const over = new AbortController();
      await Promise.race([clock.sleep(durationMs, over.signal), woken]);
      over.abort();
    };
  }

  /** No more turns are started; what its tasks hold can still be committed. */
  end(): void {
    this.#over.abort();
    for (const wake of this.#wakes.values()) wake();
  }

  /** Forgets what its tasks hold. */
  drop(): void {
    this.#isDropped = true;
    this.end();
    this.#tasks.clear();
    this.#behind.clear();
  }
}
