/** Stretches of segments in memory: the newest as they were written, others as they were read. */
import { LullError } from '../errors.ts';
import type { Stretch } from './block.ts';
import type { Files } from './files.ts';
import type { IndexRow, Segment } from './segment.ts';

/** Much more than is read at once, so that what is read stays until it has been used. */
const CACHE_BYTES = 16 * 1024 * 1024;
const READ_AHEAD_BYTES = 1024 * 1024;

export class StretchCache {
  readonly #files: Files;
  /** Least recently used first. */
  readonly #rows = new Set<IndexRow>();
  #bytes = 0;

  constructor(files: Files) {
    this.#files = files;
  }

  /** The stretch of a row, read with some that follow it when it is not in memory. */
  async get(segment: Segment, index: number): Promise<Stretch> {
    const row = segment.rows[index]!;
    while (row.stretch === null) await (row.loading ?? this.#load(segment, index));
    if (this.#rows.delete(row)) this.#rows.add(row);
    return row.stretch;
  }

  /** Takes care of a row whose stretch is in memory, and lets go of the least recently used. */
  keep(row: IndexRow): void {
    this.#rows.add(row);
    this.#bytes += row.stretch!.bytes.length;
    for (const oldest of this.#rows) {
      if (this.#bytes <= CACHE_BYTES) return;
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

  #load(segment: Segment, index: number): Promise<void> {
    const rows = missingRows(segment, index);
    const loading = this.#read(segment, rows, segment.stretchEnd(index + rows.length - 1)).finally(
      () => {
        for (const row of rows) row.loading = null;
      },
    );
    for (const row of rows) row.loading = loading;
    return loading;
  }

  async #read(segment: Segment, rows: readonly IndexRow[], end: number): Promise<void> {
    const start = rows[0]!.position;
    const bytes = Buffer.allocUnsafeSlow(end - start);
    const file = await this.#files.open(segment.path, 'read');
    // Should the file be too short, the checksums of its blocks will not hold.
    await file.read(bytes, start).finally(() => file.close());
    for (const [index, row] of rows.entries()) {
      const part = bytes.subarray(row.position - start, (rows[index + 1]?.position ?? end) - start);
      row.stretch = segment.stretchAt(row.position, part, false);
      this.keep(row);
    }
  }
}

/** From a row that is not in memory on, as many as are read at once. */
function missingRows(segment: Segment, index: number): IndexRow[] {
  const start = segment.rows[index]!.position;
  let count = 1;
  for (; index + count < segment.rows.length; count++) {
    const { stretch, loading } = segment.rows[index + count]!;
    const isMissing = stretch === null && loading === null;
    if (!isMissing || segment.stretchEnd(index + count) - start > READ_AHEAD_BYTES) break;
  }
  return segment.rows.slice(index, index + count);
}

export function damaged(segment: Segment, position: number): LullError {
  return new LullError('log_corrupt', `${segment.path} is damaged at or after byte ${position}`);
}
