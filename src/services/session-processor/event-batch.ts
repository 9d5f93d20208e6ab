/** A batch of the log as packed events, each with its user. */

import type { Rejection } from '../../core/event.ts';
import { EventReader } from '../../core/event-reader.ts';
import type { Loader, Want } from '../../core/loader.ts';
import { MAX_PACKED_BYTES, packEvent, packedTime } from '../../core/packed-event.ts';
import type { User } from '../../core/user.ts';
import type { Users } from '../../core/users.ts';
import type { LogRecord } from '../../log/log.ts';
import { decodeRecord, isMisplaced, type Place, spanOf, WRONG_PARTITION } from './input.ts';

/** More than most events take; it grows when it must. */
const EVENT_BYTES = 64;

/** What an event that can't be used is told by; `eventType` is empty where there is none. */
export type Refuse = (record: LogRecord, rejection: Rejection, eventType: string) => void;

const reader = new EventReader();

export class EventBatch {
  readonly records: readonly LogRecord[];
  bytes: Uint8Array;
  /** Where the event of each record begins in `bytes`. */
  readonly starts: number[] = [];
  /** Whose it is; null for a record that is none. */
  readonly users: (User | null)[] = [];
  #end = 0;

  constructor(records: readonly LogRecord[]) {
    this.records = records;
    this.bytes = new Uint8Array(records.length * EVENT_BYTES + MAX_PACKED_BYTES);
  }

  /** Decodes all records; those that are no events, or lie in the wrong place, are refused. */
  decode(users: Users, place: Place, refuse: Refuse): void {
    for (const record of this.records) {
      if (this.#end + MAX_PACKED_BYTES > this.bytes.length) this.#grow();
      this.starts.push(this.#end);
      this.users.push(this.#decodeFast(record, users, place, refuse));
    }
  }

  /** Adds what must be read before the events can be applied. */
  want(loader: Pick<Loader, 'wantFor'>, into: Want[]): void {
    for (const [index, user] of this.users.entries()) {
      if (user !== null) loader.wantFor(user, packedTime(this.bytes, this.starts[index]!), into);
    }
  }

  #decodeFast(record: LogRecord, users: Users, place: Place, refuse: Refuse): User | null {
    const { bytes, start, end } = spanOf(record);
    const packedEnd = reader.read(bytes, start, end, this.bytes, this.#end);
    if (packedEnd === 0) return this.#decode(record, users, place, refuse);
    const { userStart, userEnd } = reader;
    const known = users.find(bytes, userStart, userEnd);
    if (known === undefined) return this.#decode(record, users, place, refuse);
    this.#end = packedEnd;
    return known;
  }

  #decode(record: LogRecord, users: Users, place: Place, refuse: Refuse): User | null {
    const decoded = decodeRecord(record, place);
    if (!decoded.ok) {
      refuse(record, decoded.rejection, '');
      return null;
    }
    const { event } = decoded;
    const known = users.get(event.userId);
    if (known === undefined && isMisplaced(event, place)) {
      refuse(record, WRONG_PARTITION, event.eventType);
      return null;
    }
    this.#end = packEvent(event, this.bytes, this.#end);
    return known ?? users.add(event.userId);
  }

  #grow(): void {
    const bytes = new Uint8Array(2 * this.bytes.length);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}
