/** A shard in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { LullError } from '../errors.ts';
import type { OutputChunk } from './chunk.ts';
import type { InputPlan } from './input.ts';
import type { Reject } from './rejects.ts';
import { Shard, type ShardOptions, type ShardSummary } from './shard.ts';

/** To the worker. Blocks lie in shared memory and are answered in order. */
export type ShardRequest =
  | { readonly type: 'input'; readonly plan: InputPlan }
  | {
      readonly type: 'block';
      readonly bytes: Uint8Array;
      readonly end: number;
      readonly tooLong: boolean;
    }
  | { readonly type: 'summary' }
  | { readonly type: 'sessions'; readonly clockMs: number }
  | { readonly type: 'more' };

/** From the worker. */
export type ShardReply =
  | { readonly type: 'block'; readonly rejects: readonly Reject[] }
  | { readonly type: 'summary'; readonly summary: ShardSummary }
  | { readonly type: 'chunk'; readonly chunk: OutputChunk | null }
  | { readonly type: 'failed'; readonly error: unknown; readonly lull: LullErrorData | null };

type LullErrorData = Pick<LullError, 'code' | 'message' | 'hint'>;

const port = parentPort!;
const shard = new Shard(workerData as ShardOptions);
let chunks: Iterator<OutputChunk> | null = null;

port.on('message', (request: ShardRequest) => {
  try {
    answer(request);
  } catch (error) {
    const lull = error instanceof LullError ? error : null;
    const data = lull && { code: lull.code, message: lull.message, hint: lull.hint };
    reply({ type: 'failed', error, lull: data });
  }
});

function answer(request: ShardRequest): void {
  switch (request.type) {
    case 'input':
      shard.input(request.plan);
      break;
    case 'block': {
      const { bytes, end, tooLong } = request;
      reply({ type: 'block', rejects: shard.block(bytes, end, tooLong) });
      break;
    }
    case 'summary':
      reply({ type: 'summary', summary: shard.summary() });
      break;
    case 'sessions':
      chunks = shard.sessions(request.clockMs);
      break;
    case 'more': {
      const next = chunks!.next();
      if (next.done === true) reply({ type: 'chunk', chunk: null });
      else reply({ type: 'chunk', chunk: next.value }, [next.value.bytes.buffer]);
    }
  }
}

function reply(message: ShardReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
