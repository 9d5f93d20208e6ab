/** Rows that can't be read: what is kept of each, the file of them, and the summary. */

import { counted } from '../ops/report.ts';
import { CR, LF, type RejectReason, type Row, utf8Text } from './row.ts';
import type { Sink } from './sink.ts';

/** Copies of rows keep this much of them. */
const MAX_ROW_COPY_BYTES = 64 * 1024;

export interface Reject {
  readonly line: number;
  readonly reason: RejectReason;
  readonly message: string;
  /** The original row, or the beginning of a very long one. */
  readonly row: string;
}

export function rejectOf(row: Row, reason: RejectReason, message: string): Reject {
  const { block, start, line } = row;
  let end = row.end;
  if (end > start && block[end - 1] === LF) end--;
  if (end > start && block[end - 1] === CR) end--;
  const copyEnd = Math.min(end, start + MAX_ROW_COPY_BYTES);
  return { line, reason, message, row: utf8Text(block, start, copyEnd) };
}

/** Of a line that was skipped, whose beginning lies in `bytes[0, end)`. */
export function rejectOfLongLine(bytes: Uint8Array, end: number, line: number): Reject {
  const row = utf8Text(bytes, 0, Math.min(end, MAX_ROW_COPY_BYTES));
  return { line, reason: 'line_too_long', message: TOO_LONG, row };
}

export const TOO_LONG = 'the row is longer than 1 MB';

/** How many rejects of a reason are shown. */
const SHOWN = 3;

/** Counts the rejects, shows the first of each reason, and writes all of them to a file. */
export class Rejects {
  count = 0;
  readonly #byReason = new Map<RejectReason, { count: number; first: string[] }>();
  readonly #sink: Sink | null;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(sink: Sink | null) {
    this.#sink = sink;
  }

  add(file: string, rejects: readonly Reject[]): void {
    for (const { line, reason, message } of rejects) {
      this.count++;
      let entry = this.#byReason.get(reason);
      if (entry === undefined) {
        entry = { count: 0, first: [] };
        this.#byReason.set(reason, entry);
      }
      entry.count++;
      if (entry.first.length < SHOWN) entry.first.push(`${file}:${line}: ${message}`);
    }
    if (this.#sink === null || rejects.length === 0) return;
    const text = rejects.map((reject) => `${JSON.stringify({ file, ...reject })}\n`).join('');
    this.#writing = this.#sink.write(text);
    this.#writing.catch(() => {});
  }

  /** Waits until what was added is written; throws what went wrong with it. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** Lines for the user; none when there is nothing to say. */
  summary(): string[] {
    const lines: string[] = [];
    for (const [reason, { count, first }] of this.#byReason) {
      lines.push(`${counted(count)} ${count === 1 ? 'row' : 'rows'} rejected: ${reason}`);
      for (const example of first) lines.push(`  ${example}`);
      if (count > first.length) lines.push(`  and ${counted(count - first.length)} more`);
    }
    return lines;
  }
}
