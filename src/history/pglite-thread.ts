/** One run of the thread that PGlite is in, from its start to its end. */
import { Worker } from 'node:worker_threads';
import { LullError } from '../errors.ts';
import type { WorkerMessage, WorkerRequest, WorkerTask } from './pglite-worker.ts';
import type { Row } from './sql.ts';

interface Waiting {
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (error: Error) => void;
}

export class PgliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #end: LullError | null = null;
  /** Resolves when it has ended, true when it was meant to. */
  readonly ended: Promise<boolean>;

  constructor(task: WorkerTask) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./pglite-worker.${extension}`, import.meta.url), {
      workerData: task,
      // Its messages live short; a young generation of the usual size would only keep 25 MB more.
      resourceLimits: { maxYoungGenerationSizeMb: 6 },
    });
    this.#worker.on('message', (message: WorkerMessage) => this.#take(message));
    this.#worker.once('error', (error) => this.#giveUp(error.message, error));
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#giveUp('PostgreSQL has ended');
        resolve(code === 0);
      });
    });
  }

  /** Why it takes nothing more; null while it does. */
  get end(): LullError | null {
    return this.#end;
  }

  /** `params` null: the text may hold several statements. */
  send(text: string, params: readonly unknown[] | null): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#end);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, text, params } satisfies WorkerRequest);
    });
  }

  /** Ends after what was sent before. */
  async close(): Promise<void> {
    if (this.#end === null) this.#worker.postMessage('close');
    await this.ended;
  }

  #take(message: WorkerMessage): void {
    if ('end' in message) return this.#giveUp(message.end);
    const waiting = this.#waiting.get(message.id)!;
    this.#waiting.delete(message.id);
    if ('rows' in message) waiting.resolve(message.rows);
    else waiting.reject(unavailable(message.error));
  }

  /** The first reason is the true one. */
  #giveUp(reason: string, cause?: Error): void {
    this.#end ??= unavailable(reason, cause);
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}

/** PostgreSQL tells a full disk in words only: the code of its error is lost in a PANIC. */
const FULL = /No space left on device|ENOSPC/;

function unavailable(reason: string, cause?: Error): LullError {
  if (FULL.test(reason)) {
    return new LullError('disk_full', 'history failed: no space is left on its disk', { cause });
  }
  return new LullError('history_unavailable', `history failed: ${reason}`, { cause });
}
