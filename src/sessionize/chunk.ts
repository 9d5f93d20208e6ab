/** Output of a shard on its way to where the shards' outputs are merged. */

/** Lines in order of their users; `users[n]` has those from `ends[n - 1]` up to `ends[n]`. */
export interface OutputChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly users: readonly string[];
  readonly ends: readonly number[];
}

/** Far more than the longest line. */
const CHUNK_BYTES = 1 << 20;

export class ChunkWriter {
  #bytes = Buffer.alloc(CHUNK_BYTES);
  #length = 0;
  #users: string[] = [];
  #ends: number[] = [];

  hasRoom(line: string): boolean {
    return this.#length + 3 * line.length <= this.#bytes.length;
  }

  add(user: string, line: string): void {
    this.#length += this.#bytes.write(line, this.#length);
    if (this.#users.at(-1) !== user) {
      this.#users.push(user);
      this.#ends.push(0);
    }
    this.#ends[this.#ends.length - 1] = this.#length;
  }

  /** What was written since the last time. */
  take(): OutputChunk {
    const bytes = this.#bytes.subarray(0, this.#length);
    const chunk = { bytes, users: this.#users, ends: this.#ends };
    this.#bytes = Buffer.alloc(CHUNK_BYTES);
    this.#length = 0;
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
