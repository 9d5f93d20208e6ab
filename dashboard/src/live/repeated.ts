/** Work that is wanted again and again: one run at a time, however often, with a pause between. */
import { pause } from '../pause.ts';

export class Repeated {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #pauseMs: number;
  readonly #end = new AbortController();
  #isWanted = false;
  #isBusy = false;

  constructor(work: (signal: AbortSignal) => Promise<void>, pauseMs: number) {
    this.#work = work;
    this.#pauseMs = pauseMs;
  }

  /** A run will begin after this: at once, or when the one under way and the pause are over. */
  want(): void {
    this.#isWanted = true;
    if (!this.#isBusy) void this.#run();
  }

  end(): void {
    this.#end.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    this.#isBusy = true;
    while (this.#isWanted && !signal.aborted) {
      this.#isWanted = false;
      await this.#work(signal);
      await pause(this.#pauseMs, signal);
    }
    this.#isBusy = false;
  }
}
