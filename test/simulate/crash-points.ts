/** Where a simulated process can die: between every two steps of its loop. */

/** In the order of the loop. */
export const CRASH_POINTS = [
  'an append under way',
  'the log to be read',
  'the state to be read',
  'the due to be found',
  'applied, not frozen',
  'frozen, not stored',
  'stored, not published',
  'half published',
  'published',
  'a sync to begin',
  'synced, not released',
  'restoring',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

/** One life of the process. When it has crashed, whatever waits in it waits for ever. */
export class Life {
  /** Resolves when this life is over. */
  readonly over: Promise<void>;
  isOver = false;
  /** Where it ended; null for one that ended in order, or has not ended. */
  endedAt: CrashPoint | null = null;
  readonly #random: () => number;
  #end: () => void = () => {};
  #armed: CrashPoint | null = null;
  #left = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** It will crash when the point is reached for the so-manieth time from now. */
  arm(point: CrashPoint, times: number): void {
    this.#armed = point;
    this.#left = times;
  }

  /** Passes a point, sometimes after others had a turn; or ends the life there. */
  async pass(point: CrashPoint): Promise<void> {
    if (this.isOver) return new Promise(() => {});
    if (point === this.#armed && --this.#left <= 0) {
      this.isOver = true;
      this.endedAt = point;
      this.#end();
      return new Promise(() => {});
    }
    for (let turns = Math.floor(this.#random() * 4); turns > 0; turns--) await null;
    if (this.isOver) return new Promise(() => {});
  }

  /** Waits for an operation, as long as this life lasts. */
  async await(operation: Promise<unknown>): Promise<void> {
    // What was under way when it crashed may fail as it likes.
    operation.catch(() => {});
    await Promise.race([operation, this.over]);
    if (!this.isOver) await operation;
  }
}
