/** Stretches of segments in memory: the newest as they were written, others as they were read. */
import { LullError } from '../errors.ts';
import { blockEnd, checkBlock, Stretch } from './block.ts';
import type { Files } from './files.ts';
import { blockSeed, type IndexRow, type Segment } from './segment.ts';

export class StretchCache {
  readonly #files: Files;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #rows = new Set<IndexRow>();
  #bytes = 0;

  constructor(files: Files, maxBytes: number) {
    this.#files = files;
    this.#maxBytes = maxBytes;
  }

  /** The stretch of a row; reads and checks it when it is not in memory. */
  get(segment: Segment, index: number): Stretch | Promise<Stretch> {
    const row = segment.rows[index]!;
    if (row.stretch === null) {
      row.loading ??= this.#load(segment, index).finally(() => {
        row.loading = null;
      });
      return row.loading;
    }
    if (this.#rows.delete(row)) this.#rows.add(row);
    return row.stretch;
  }

  /** Takes care of a row whose stretch is in memory, and lets go of the least recently used. */
  keep(row: IndexRow): void {
    this.#rows.add(row);
    this.#bytes += row.stretch!.bytes.length;
    for (const oldest of this.#rows) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#drop(oldest);
    }
  }

  forget(segment: Segment): void {
    for (const row of segment.rows) if (this.#rows.has(row)) this.#drop(row);
  }

  #drop(row: IndexRow): void {
    this.#rows.delete(row);
    this.#bytes -= row.stretch!.bytes.length;
    row.stretch = null;
  }

  async #load(segment: Segment, index: number): Promise<Stretch> {
    const row = segment.rows[index]!;
    const bytes = Buffer.allocUnsafeSlow(segment.stretchEnd(index) - row.position);
    const file = await this.#files.open(segment.path, 'read');
    const length = await file.read(bytes, row.position).finally(() => file.close());
    const stretch = new Stretch(bytes);
    check(segment, row.position, stretch, length);
    row.stretch = stretch;
    this.keep(row);
    return stretch;
  }
}

function check(segment: Segment, position: number, stretch: Stretch, length: number): void {
  const limit = stretch.bytes.length;
  for (let at = 0; at < limit; at = blockEnd(stretch, at, limit)) {
    const seed = blockSeed(segment.seed, position + at);
    if (length === limit && checkBlock(stretch, at, limit, seed) > 0) continue;
    throw new LullError('log_corrupt', `${segment.path} is damaged at byte ${position + at}`);
  }
}
