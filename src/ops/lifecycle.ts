/** An orderly end: steps in reverse order of their start, each within one bound; then the exit. */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

interface Step {
  readonly name: string;
  readonly stop: () => void | Promise<void>;
}

/** A terminal and npm each pass on the same Ctrl-C: what comes this soon is not a second one. */
const SAME_SIGNAL_MS = 500;

export class Lifecycle {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #boundMs: number;
  readonly #steps: Step[] = [];
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<boolean>();

  /** boundMs: how long all steps together may take before they are left behind. */
  constructor(clock: Clock, logger: Logger, boundMs: number) {
    this.#clock = clock;
    this.#logger = logger;
    this.#boundMs = boundMs;
  }

  /** Aborted when the end begins: long work at start gives up by it. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves when all is stopped: true, or false when a step failed or was left behind. */
  get stopped(): Promise<boolean> {
    return this.#stopped.promise;
  }

  /** Adds what must be stopped; what was added last stops first. */
  add(name: string, stop: () => void | Promise<void>): void {
    this.#steps.push({ name, stop });
  }

  /** Stops everything, once; later calls get the same answer. */
  stop(): Promise<boolean> {
    if (!this.signal.aborted) {
      this.#stopping.abort();
      void this.#run().then(this.#stopped.resolve, this.#stopped.reject);
    }
    return this.stopped;
  }

  /** The first signal stops in order, a second one ends the process at once, with status 130. */
  stopOnSignals(): void {
    let firstMs: number | null = null;
    const onSignal = () => {
      const nowMs = this.#clock.monotonicMs();
      if (firstMs === null) {
        firstMs = nowMs;
        void this.stop();
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) {
        process.exit(130);
      }
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  }

  async #run(): Promise<boolean> {
    const bound = new AbortController();
    const timeUp = this.#clock.sleep(this.#boundMs, bound.signal).then(() => 'time up' as const);
    let clean = true;
    // A step may add another one while it runs.
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      const outcome = await Promise.race([this.#stopOne(step), timeUp]);
      if (outcome === 'done') continue;
      clean = false;
      if (outcome === 'failed') continue;
      this.#logger.error({ step: step.name, boundMs: this.#boundMs }, 'not stopped in time');
      break;
    }
    bound.abort();
    return clean;
  }

  async #stopOne({ name, stop }: Step): Promise<'done' | 'failed'> {
    try {
      await stop();
      this.#logger.debug({ step: name }, 'stopped');
      return 'done';
    } catch (error) {
      this.#logger.error({ step: name, err: error }, 'could not be stopped');
      return 'failed';
    }
  }
}
