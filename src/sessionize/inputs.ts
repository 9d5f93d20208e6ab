/** The inputs of a run, one after another: opened, understood, and cut into blocks. */
import { statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { type Report, sized } from '../ops/report.ts';
import { type Block, BlockCutter } from './blocks.ts';
import { endOfRowsOf, type InputPlan, planInput } from './input.ts';
import type { SessionizeOptions } from './options.ts';
import { openSource, type Source, unreadable } from './source.ts';

/** Takes the inputs block by block. */
export interface BlockTaker {
  input(plan: InputPlan): void;
  /** A buffer for the next block; waits until one is free. */
  buffer(): Promise<Uint8Array>;
  /** Takes a block that lies in the buffer; resolves when more may come, false to end early. */
  block(block: Block): Promise<boolean>;
}

/** Bytes of all files; Infinity when one of them can't tell. Throws when one can't be read. */
export function totalBytes(files: readonly string[]): number {
  let bytes = 0;
  for (const file of files) {
    if (file === '-') bytes = Number.POSITIVE_INFINITY;
    else bytes += sizeOf(file);
  }
  return bytes;
}

function sizeOf(file: string): number {
  try {
    const stats = statSync(file);
    return stats.isFile() ? stats.size : Number.POSITIVE_INFINITY;
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** `whole`: waits for full blocks, else takes rows as they come. */
export async function readInputs(
  options: SessionizeOptions,
  stdin: Readable,
  report: Report,
  taker: BlockTaker,
  whole: boolean,
): Promise<void> {
  const bytes = totalBytes(options.files);
  let readBytes = 0;
  for (const file of options.files) {
    const source = await openSource(file, stdin);
    try {
      const progress = () => progressLine(readBytes + source.takenBytes, bytes);
      if (!(await readInput(options, source, report, progress, taker, whole))) return;
    } finally {
      await source.close();
    }
    readBytes += source.takenBytes;
  }
}

async function readInput(
  options: SessionizeOptions,
  source: Source,
  report: Report,
  progress: () => string,
  taker: BlockTaker,
  whole: boolean,
): Promise<boolean> {
  const cutter = new BlockCutter(source);
  const plan = await planInput(source.name, cutter, options.format, options.columns);
  report.line(`${plan.name}: ${plan.format}; ${plan.description}`);
  taker.input(plan);
  const endOfRows = endOfRowsOf(plan);
  for (;;) {
    const block = await cutter.next(await taker.buffer(), endOfRows, whole);
    if (block === null) return true;
    if (!(await taker.block(block))) return false;
    report.progress(progress);
  }
}

function progressLine(readBytes: number, bytes: number): string {
  const part = Number.isFinite(bytes) ? ` of ${sized(bytes)}` : '';
  return `${sized(readBytes)}${part} read`;
}
