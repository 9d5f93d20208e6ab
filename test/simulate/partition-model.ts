/** What the naive model makes of one partition's log, record by record. */
import type { SessionDefinition } from '../../src/core/definition.ts';
import { decodeEvent } from '../../src/core/event.ts';
import { partitionOf } from '../../src/core/hash.ts';
import type { LogRecord } from '../../src/log/log.ts';
import { Oracle } from './oracle.ts';

/** How often each thing happened that a simulation is there for. */
export type Tally = Record<string, number>;

export class PartitionModel {
  readonly oracle: Oracle;
  /** Offsets and reasons of what was refused, in order. */
  readonly late: string[] = [];
  readonly rejected: string[] = [];
  readonly fates: Tally = {};
  /** Offset of the first record that it has not taken in. */
  nextOffset = 0;
  readonly #logId: string;
  readonly #partition: number;
  readonly #partitionCount: number;

  constructor(
    definition: SessionDefinition,
    logId: string,
    partition: number,
    partitionCount: number,
  ) {
    this.oracle = new Oracle(definition, logId, partition);
    this.#logId = logId;
    this.#partition = partition;
    this.#partitionCount = partitionCount;
  }

  /** Takes in what it does not have yet; the same records may be given again. */
  take(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset < this.nextOffset) continue;
      this.nextOffset = record.offset + 1;
      this.#takeOne(record);
    }
  }

  #takeOne({ offset, value, arrivalMs }: LogRecord): void {
    const raw = JSON.parse(Buffer.from(value).toString());
    const decoded = decodeEvent(raw, `${this.#logId}/${this.#partition}/${offset}`);
    if (!decoded.ok) {
      this.rejected.push(`${offset} ${decoded.rejection.code}`);
      return;
    }
    const { event } = decoded;
    if (partitionOf(event.userId, this.#partitionCount) !== this.#partition) {
      this.rejected.push(`${offset} wrong_partition`);
      return;
    }
    const fate = this.oracle.apply({ event, offset, arrivalMs });
    this.fates[fate] = (this.fates[fate] ?? 0) + 1;
    if (fate === 'late') this.late.push(`${offset} too_late`);
    if (fate === 'rejected') this.rejected.push(`${offset} timestamp_in_future`);
  }
}
