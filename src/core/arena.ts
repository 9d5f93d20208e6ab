/** Memory for many small byte runs that grow and go, without an object for each. */

/** Of the smallest run and of the first chunk; both grow by doubling. */
const SMALLEST_BITS = 6;
const FIRST_CHUNK_BYTES = 16 * 1024;
const LARGEST_CHUNK_BYTES = 1024 * 1024;

/**
 * Hands out runs of 64, 128, 256 … bytes. An array buffer for each would cost more to make and to
 * collect than what is written into it, and views of shared buffers would keep those alive.
 * Whoever takes a run must give it back, or it is lost until the arena itself goes.
 */
export class Arena {
  /** Where the run that was last taken lies: in these bytes, at what `take` returned. */
  bytes = new Uint8Array(0);
  /** Bytes of all runs that are taken. */
  takenBytes = 0;
  #chunk = this.bytes;
  #free = 0;
  /** Runs that came back, by size. */
  readonly #spare: { readonly bytes: Uint8Array<ArrayBuffer>[]; readonly starts: number[] }[] = [];

  /** A run of a size that `sizeFor` gave; its content is whatever was there before. */
  take(size: number): number {
    this.takenBytes += size;
    const spare = this.#spare[bitsOf(size)];
    if (spare !== undefined && spare.starts.length > 0) {
      this.bytes = spare.bytes.pop()!;
      return spare.starts.pop()!;
    }
    if (this.#free + size > this.#chunk.length) {
      const next = Math.max(FIRST_CHUNK_BYTES, 2 * this.#chunk.length);
      this.#chunk = new Uint8Array(Math.max(size, Math.min(next, LARGEST_CHUNK_BYTES)));
      this.#free = 0;
    }
    const start = this.#free;
    this.#free += size;
    this.bytes = this.#chunk;
    return start;
  }

  give(bytes: Uint8Array<ArrayBuffer>, start: number, size: number): void {
    this.takenBytes -= size;
    const bits = bitsOf(size);
    let spare = this.#spare[bits];
    if (spare === undefined) {
      for (let each = this.#spare.length; each <= bits; each++) {
        this.#spare.push({ bytes: [], starts: [] });
      }
      spare = this.#spare[bits]!;
    }
    spare.bytes.push(bytes);
    spare.starts.push(start);
  }
}

/** The size of a run for so many bytes. */
export function sizeFor(length: number): number {
  const bits = length <= 1 << SMALLEST_BITS ? SMALLEST_BITS : 32 - Math.clz32(length - 1);
  return 2 ** bits;
}

function bitsOf(size: number): number {
  return 31 - Math.clz32(size) - SMALLEST_BITS;
}
