/** Output of a shard on its way to where the shards' outputs are merged. */

import { JsonBytes } from '../core/json-bytes.ts';

/** Lines in order of their users; `users[n]` has those from `ends[n - 1]` up to `ends[n]`. */
export interface OutputChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly users: readonly string[];
  readonly ends: readonly number[];
}

/** A chunk is given on when it holds this much; then there is still room for the longest line. */
const FULL_BYTES = 1 << 20;
const LONGEST_LINE_BYTES = 1 << 18;

export class ChunkWriter {
  /** Takes the lines. */
  readonly json = new JsonBytes(FULL_BYTES + LONGEST_LINE_BYTES);
  #users: string[] = [];
  #ends: number[] = [];

  get isFull(): boolean {
    return this.json.length >= FULL_BYTES;
  }

  /** What was written since the last time is the user's. */
  endLine(user: string): void {
    if (this.#users.at(-1) !== user) {
      this.#users.push(user);
      this.#ends.push(0);
    }
    this.#ends[this.#ends.length - 1] = this.json.length;
  }

  /** What was written since the last time. */
  take(): OutputChunk {
    const chunk = { bytes: this.json.takeBuffer(), users: this.#users, ends: this.#ends };
    this.#users = [];
    this.#ends = [];
    return chunk;
  }
}

/** The outputs of several shards in the order of their users, in pieces as they lie in chunks. */
export async function* mergeChunks(
  shards: readonly AsyncIterator<OutputChunk>[],
): AsyncGenerator<Uint8Array> {
  const heads = await Promise.all(shards.map(async (shard) => newHead(shard, await shard.next())));
  let left = heads.filter((head) => head !== null);
  while (left.length > 0) {
    const first = left.reduce((one, other) => (userOf(other) < userOf(one) ? other : one));
    // Everything of it that comes before the others' users goes in one piece.
    const start = first.index === 0 ? 0 : first.chunk.ends[first.index - 1]!;
    const bound = left.filter((other) => other !== first).map(userOf);
    while (first.index < first.chunk.users.length && bound.every((user) => userOf(first) <= user)) {
      first.index++;
    }
    yield first.chunk.bytes.subarray(start, first.chunk.ends[first.index - 1]!);
    if (first.index < first.chunk.users.length) continue;
    const next = newHead(first.shard, await first.shard.next());
    left = left.filter((other) => other !== first);
    if (next !== null) left.push(next);
  }
}

interface Head {
  readonly shard: AsyncIterator<OutputChunk>;
  readonly chunk: OutputChunk;
  index: number;
}

function newHead(shard: AsyncIterator<OutputChunk>, next: IteratorResult<OutputChunk>) {
  if (next.done === true || next.value.users.length === 0) return null;
  return { shard, chunk: next.value, index: 0 } satisfies Head;
}

function userOf(head: Head): string {
  return head.chunk.users[head.index]!;
}
