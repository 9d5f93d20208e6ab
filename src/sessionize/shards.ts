/** The shards of one run: a single one in this thread, or several in threads of their own. */
import { Worker } from 'node:worker_threads';
import { LullError } from '../errors.ts';
import { BLOCK_BYTES, type Block } from './blocks.ts';
import { mergeChunks, type OutputChunk } from './chunk.ts';
import type { InputPlan } from './input.ts';
import type { Reject } from './rejects.ts';
import { Shard, type ShardOptions, type ShardSummary } from './shard.ts';
import type { ShardReply, ShardRequest } from './shard-worker.ts';

export interface Shards {
  input(plan: InputPlan): void;
  /** The buffer for the next block; waits until one is free. */
  buffer(): Promise<Uint8Array>;
  /** Hands the block in the buffer to all shards; its rejects come in order of lines. */
  block(block: Block, onRejects: (rejects: readonly Reject[]) => void): void;
  /** What the shards know when every block has been read. */
  summaries(): Promise<readonly ShardSummary[]>;
  /** All sessions' lines in order. */
  output(clockMs: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export class InlineShard implements Shards {
  readonly #shard: Shard;
  readonly #buffer = new Uint8Array(BLOCK_BYTES);

  constructor(options: Omit<ShardOptions, 'index' | 'count'>) {
    this.#shard = new Shard({ ...options, index: 0, count: 1 });
  }

  async buffer(): Promise<Uint8Array> {
    return this.#buffer;
  }

  input(plan: InputPlan): void {
    this.#shard.input(plan);
  }

  block({ bytes, end, tooLong }: Block, onRejects: (rejects: readonly Reject[]) => void): void {
    onRejects(this.#shard.block(bytes, end, tooLong));
  }

  async summaries(): Promise<readonly ShardSummary[]> {
    return [this.#shard.summary()];
  }

  async *output(clockMs: number): AsyncGenerator<Uint8Array> {
    for (const chunk of this.#shard.sessions(clockMs)) yield chunk.bytes;
  }

  async close(): Promise<void> {
    this.#shard.close();
  }
}

/** Buffers in flight: enough that reading goes on while every thread has something to do. */
const BUFFERS = 6;
/** Chunks that a thread may be ahead of the merging. */
const CHUNKS_AHEAD = 3;

export class ThreadedShards implements Shards {
  readonly #threads: ShardThread[];
  readonly #free: Uint8Array[] = [];
  /** The one that `buffer` gave and `block` has not taken yet. */
  #given: Uint8Array | null = null;
  #onFree: () => void = () => {};

  /** The memory is shared out among the threads. */
  constructor(options: Omit<ShardOptions, 'index' | 'count'>, count: number) {
    const memoryBytes = Math.floor(options.memoryBytes / count);
    this.#threads = Array.from(
      { length: count },
      (_, index) => new ShardThread({ ...options, memoryBytes, index, count }),
    );
    for (let index = 0; index < BUFFERS; index++) {
      this.#free.push(new Uint8Array(new SharedArrayBuffer(BLOCK_BYTES)));
    }
  }

  async buffer(): Promise<Uint8Array> {
    while (this.#given === null && this.#free.length === 0) {
      const freed = new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
      await Promise.race([freed, ...this.#threads.map((thread) => thread.failure)]);
    }
    this.#given ??= this.#free.pop()!;
    return this.#given;
  }

  input(plan: InputPlan): void {
    for (const thread of this.#threads) thread.send({ type: 'input', plan });
  }

  block(block: Block, onRejects: (rejects: readonly Reject[]) => void): void {
    this.#given = null;
    const rejects: Reject[] = [];
    let left = this.#threads.length;
    for (const thread of this.#threads) {
      thread.block(block, (found) => {
        rejects.push(...found);
        if (--left > 0) return;
        onRejects(rejects.sort((one, other) => one.line - other.line));
        this.#free.push(block.bytes);
        this.#onFree();
      });
    }
  }

  summaries(): Promise<readonly ShardSummary[]> {
    return Promise.all(this.#threads.map((thread) => thread.summary()));
  }

  output(clockMs: number): AsyncIterable<Uint8Array> {
    return mergeChunks(this.#threads.map((thread) => thread.chunks(clockMs)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class ShardThread {
  /** Rejects when the thread fails; never resolves. */
  readonly failure: Promise<never>;
  readonly #worker: Worker;
  /** What waits for replies, by type, in order. */
  readonly #blocks: ((rejects: readonly Reject[]) => void)[] = [];
  #onSummary: (summary: ShardSummary) => void = () => {};
  readonly #chunks: (OutputChunk | null)[] = [];
  #onChunk: () => void = () => {};

  constructor(options: ShardOptions) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./shard-worker.${extension}`, import.meta.url), {
      workerData: options,
    });
    this.failure = new Promise((_, reject) => {
      this.#worker.on('error', reject);
      this.#worker.on('message', (reply: ShardReply) => {
        if (reply.type !== 'failed') return this.#receive(reply);
        const { lull, error } = reply;
        reject(lull === null ? error : new LullError(lull.code, lull.message, { hint: lull.hint }));
      });
    });
    // Whoever waits for the thread hears of it; nobody else has to.
    this.failure.catch(() => {});
  }

  send(request: ShardRequest): void {
    this.#worker.postMessage(request);
  }

  block({ bytes, end, tooLong }: Block, onRejects: (rejects: readonly Reject[]) => void): void {
    this.#blocks.push(onRejects);
    this.send({ type: 'block', bytes, end, tooLong });
  }

  summary(): Promise<ShardSummary> {
    const answered = new Promise<ShardSummary>((resolve) => {
      this.#onSummary = resolve;
    });
    this.send({ type: 'summary' });
    return Promise.race([answered, this.failure]);
  }

  async *chunks(clockMs: number): AsyncGenerator<OutputChunk> {
    this.send({ type: 'sessions', clockMs });
    for (let ahead = 0; ahead < CHUNKS_AHEAD; ahead++) this.send({ type: 'more' });
    for (;;) {
      while (this.#chunks.length === 0) {
        const came = new Promise<void>((resolve) => {
          this.#onChunk = resolve;
        });
        await Promise.race([came, this.failure]);
      }
      const chunk = this.#chunks.shift()!;
      if (chunk === null) return;
      this.send({ type: 'more' });
      yield chunk;
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(reply: Exclude<ShardReply, { type: 'failed' }>): void {
    switch (reply.type) {
      case 'block':
        this.#blocks.shift()!(reply.rejects);
        break;
      case 'summary':
        this.#onSummary(reply.summary);
        break;
      case 'chunk':
        this.#chunks.push(reply.chunk);
        this.#onChunk();
    }
  }
}
