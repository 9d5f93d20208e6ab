/** Puts questions about single partitions together: hundreds are opened at once. */
import { setImmediate } from 'node:timers/promises';

/** Answers for all partitions that it was asked about. */
export type AskAll = (partitions: readonly number[]) => Promise<ReadonlyMap<number, number>>;

export class Questions {
  readonly #askAll: AskAll;
  /** What is asked in this turn of the event loop. */
  #partitions = new Set<number>();
  #answers: Promise<ReadonlyMap<number, number>> | null = null;

  constructor(askAll: AskAll) {
    this.#askAll = askAll;
  }

  async ask(partition: number): Promise<number> {
    this.#partitions.add(partition);
    this.#answers ??= setImmediate().then(() => {
      const asked = [...this.#partitions];
      this.#partitions = new Set();
      this.#answers = null;
      return this.#askAll(asked);
    });
    return (await this.#answers).get(partition)!;
  }
}
