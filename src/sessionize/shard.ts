/** One shard of the users: reads every row, keeps the events of its own users, and joins them. */
import { tmpdir } from 'node:os';
import type { SessionDefinition } from '../core/definition.ts';
import { describe } from '../core/describe.ts';
import { writeSession } from '../core/session-json.ts';
import { ChunkWriter, type OutputChunk } from './chunk.ts';
import { Decoder, type LeftOut } from './decoder.ts';
import type { EventCursor } from './event-cursor.ts';
import { sessionsInOrder } from './event-order.ts';
import { EventStore } from './event-store.ts';
import { type InputPlan, readerOf } from './input.ts';
import { hashBytes } from './interner.ts';
import type { OutputFormat } from './options.ts';
import { type Reject, rejectOf, rejectOfLongLine } from './rejects.ts';
import { type RejectReason, type Row, type RowReader, type RowTaker, USER } from './row.ts';
import { MergeCursor, Run, writeRun } from './runs.ts';
import { csvRow } from './session-csv.ts';
import { zoneToUtc } from './time-zone.ts';
import { Vocabulary } from './vocabulary.ts';

/** Plain data, so that a worker can be told. */
export interface ShardOptions {
  readonly index: number;
  readonly count: number;
  readonly definition: SessionDefinition;
  readonly timeZone: string;
  readonly format: OutputFormat;
  /** Event data kept in memory; what is more goes to temporary files. */
  readonly memoryBytes: number;
  /** Where temporary files are made; null for the system's own folder. */
  readonly tempFolder: string | null;
}

/** What a shard knows when it has read everything. */
export interface ShardSummary {
  /** The latest time of its events. */
  readonly clockMs: number;
  readonly events: number;
  /** Sessions given out so far. */
  readonly sessions: number;
  readonly leftOut: readonly LeftOut[];
}

/** Runs of a level that are merged into one of the next, so that few are open at a time. */
const MERGE_RUNS = 32;

export class Shard implements RowTaker {
  #clockMs = Number.NEGATIVE_INFINITY;
  #events = 0;
  #sessions = 0;
  readonly #options: ShardOptions;
  readonly #vocabulary = new Vocabulary();
  #store = new EventStore(this.#vocabulary);
  readonly #decoder: Decoder;
  /** Runs by level: one of level n + 1 holds what MERGE_RUNS of level n held. */
  readonly #runs: Run[][] = [];
  #reader: RowReader | null = null;
  #nextLine = 1;
  #rejects: Reject[] = [];

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#decoder = new Decoder(this.#vocabulary, zoneToUtc(options.timeZone));
  }

  summary(): ShardSummary {
    const leftOut = [...this.#decoder.leftOut.values()];
    return { clockMs: this.#clockMs, events: this.#events, sessions: this.#sessions, leftOut };
  }

  /** Blocks of another input follow. */
  input(plan: InputPlan): void {
    this.#reader = readerOf(plan);
    this.#nextLine = plan.firstLine;
    this.#decoder.input(plan);
  }

  /** Takes the rows of `bytes[0, end)`; gives back those of its share that can't be read. */
  block(bytes: Uint8Array, end: number, tooLong: boolean): Reject[] {
    this.#rejects = [];
    if (tooLong) {
      const reject = rejectOfLongLine(bytes, end, this.#nextLine++);
      if (this.#isMine(reject.line)) this.#rejects.push(reject);
    } else this.#nextLine = this.#reader!.read(bytes, 0, end, this.#nextLine, this);
    if (this.#store.heldBytes > this.#options.memoryBytes) this.#spill();
    return this.#rejects;
  }

  row(row: Row): void {
    const hash = hashBytes(row.bytes, row.starts[USER]!, row.ends[USER]!);
    const { count, index } = this.#options;
    // The low bits choose the slot in the interner, so others must choose the shard.
    if (count > 1 && (hash >>> 16) % count !== index) return;
    if (!this.#decoder.decode(row, hash)) {
      this.#rejects.push(rejectOf(row, this.#decoder.reason, this.#decoder.message));
      return;
    }
    this.#events++;
    if (this.#decoder.time > this.#clockMs) this.#clockMs = this.#decoder.time;
    this.#store.add(this.#decoder);
  }

  reject(row: Row, reason: RejectReason, message: string): void {
    if (this.#isMine(row.line)) this.#rejects.push(rejectOf(row, reason, message));
  }

  /** All sessions; `clockMs` is the latest time of all shards. */
  *sessions(clockMs: number): Generator<OutputChunk> {
    const { definition, format } = this.#options;
    const writer = new ChunkWriter();
    for (const session of sessionsInOrder(this.#cursor(), definition, clockMs)) {
      if (writer.isFull) yield writer.take();
      if (format === 'csv') writer.json.append(csvRow(describe(...session)));
      else {
        writeSession(writer.json, session);
        writer.json.append('\n');
      }
      writer.endLine(session[2]);
      this.#sessions++;
    }
    yield writer.take();
  }

  close(): void {
    for (const run of this.#runs.flat()) run.close();
    this.#runs.length = 0;
  }

  /** Rows that belong to no user are shared out by their lines. */
  #isMine(line: number): boolean {
    return line % this.#options.count === this.#options.index;
  }

  /** Moves what is in memory into a run. */
  #spill(): void {
    const run = new Run(this.#options.tempFolder ?? tmpdir());
    writeRun(run, this.#store.cursor());
    this.#store.clear();
    this.#addRun(run, 0);
  }

  #addRun(run: Run, level: number): void {
    this.#runs[level] ??= [];
    const runs = this.#runs[level];
    runs.push(run);
    if (runs.length < MERGE_RUNS) return;
    const merged = new Run(this.#options.tempFolder ?? tmpdir());
    writeRun(merged, this.#merge(runs));
    for (const done of runs.splice(0)) done.close();
    this.#addRun(merged, level + 1);
  }

  #cursor(): EventCursor {
    if (this.#runs.length === 0) return this.#store.cursor();
    this.#spill();
    // Nothing comes any more: what the store kept for it can go.
    this.#store = new EventStore(this.#vocabulary);
    return this.#merge(this.#runs.flat());
  }

  #merge(runs: readonly Run[]): MergeCursor {
    return new MergeCursor(runs, this.#options.memoryBytes / 4);
  }
}
