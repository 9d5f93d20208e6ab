/** From a request's body to records in the event log: decode each event, append, answer. */
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { decodeEvent, type Rejection } from '../../core/event.ts';
import { EventReader } from '../../core/event-reader.ts';
import { partitionOf } from '../../core/hash.ts';
import { MAX_PACKED_BYTES, packedTime } from '../../core/packed-event.ts';
import { LullError } from '../../errors.ts';
import type { NewRecord, Topic } from '../../log/log.ts';
import type { Clock } from '../../ops/clock.ts';
import { type BodyProblem, findItems } from './body-items.ts';
import { encodePosition } from './position.ts';

export const MAX_BODY_BYTES = 10 * 1024 * 1024;
export const MAX_EVENTS = 50_000;
export const MAX_EVENT_BYTES = 64 * 1024;
/** Events decoded before other requests get their turn. */
const TURN_EVENTS = 500;
/** Characters that neither the log's keys nor history's text can carry. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export interface CollectorOptions {
  readonly events: Topic;
  readonly clock: Clock;
  readonly maxFutureMs: number;
}

export interface RejectedItem extends Rejection {
  readonly index: number;
}

export interface Collected {
  readonly form: 'single' | 'batch';
  readonly accepted: number;
  readonly rejected: readonly RejectedItem[];
  readonly position: string;
}

/** Resolves when the log has what was accepted; rejects with what makes the whole body unusable. */
export async function collect(
  options: CollectorOptions,
  body: Buffer,
  lines: boolean,
): Promise<Collected> {
  const items = findItems(body, lines, MAX_EVENTS);
  if (typeof items === 'string') throw bodyError(items);
  const records: NewRecord[] = [];
  const rejected: RejectedItem[] = [];
  const decode = itemDecoder(options, isUtf8(body));
  for (let index = 0; index * 2 < items.bounds.length; index++) {
    if (index > 0 && index % TURN_EVENTS === 0) await setImmediate();
    const bytes = body.subarray(items.bounds[index * 2], items.bounds[index * 2 + 1]);
    const decoded = decode(bytes);
    if ('key' in decoded) records.push(decoded);
    else rejected.push({ index, ...decoded });
  }
  const offsets = records.length === 0 ? [] : await options.events.append(records);
  return {
    form: items.form,
    accepted: records.length,
    rejected,
    position: encodePosition({
      logId: options.events.logId,
      offsets: lastOffsets(records, offsets),
    }),
  };
}

const reader = new EventReader();
const packed = new Uint8Array(MAX_PACKED_BYTES);

function itemDecoder(
  { events, clock, maxFutureMs }: CollectorOptions,
  allUtf8: boolean,
): (bytes: Buffer) => NewRecord | Rejection {
  const latestMs = clock.nowMs() + maxFutureMs;
  return (bytes) => {
    if (bytes.length > MAX_EVENT_BYTES) return TOO_LARGE;
    if (!allUtf8 && !isUtf8(bytes)) return notJson('it is not UTF-8');
    // Most events are plain enough to be checked without making objects of them.
    if (reader.read(bytes, 0, bytes.length, packed, 0) > 0) {
      if (packedTime(packed, 0) > latestMs) return IN_FUTURE;
      const key = bytes.toString('latin1', reader.userStart, reader.userEnd);
      return { partition: partitionOf(key, events.partitionCount), key, value: bytes };
    }
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch (error) {
      return notJson((error as Error).message);
    }
    const decoded = decodeEvent(value, '');
    if (!decoded.ok) return decoded.rejection;
    const { userId, eventType, timestamp } = decoded.event;
    if (timestamp > latestMs) return IN_FUTURE;
    if (UNSTORABLE.test(userId)) return unstorable('userId');
    if (UNSTORABLE.test(eventType)) return unstorable('eventType');
    const hasId = typeof (value as { eventId?: unknown }).eventId === 'string';
    return {
      partition: partitionOf(userId, events.partitionCount),
      key: userId,
      value: hasId ? bytes : withEventId(bytes),
    };
  };
}

/** Puts an id in at the end of the object, where it also overrules an `"eventId":null`. */
function withEventId(bytes: Buffer): Buffer {
  const ending = `,"eventId":"${randomUUID()}"}`;
  const result = Buffer.allocUnsafe(bytes.length - 1 + ending.length);
  bytes.copy(result);
  result.write(ending, bytes.length - 1, 'latin1');
  return result;
}

function lastOffsets(records: readonly NewRecord[], offsets: readonly number[]) {
  const last = new Map<number, number>();
  for (const [index, { partition }] of records.entries()) {
    last.set(partition, Math.max(last.get(partition) ?? 0, offsets[index]!));
  }
  return last;
}

const TOO_LARGE: Rejection = {
  code: 'event_too_large',
  message: 'the event is longer than 64 kB',
  hint: 'leave out what sessions do not need',
};

const IN_FUTURE: Rejection = {
  code: 'timestamp_in_future',
  message: 'timestamp is too far in the future',
  hint: "check the sender's clock, and that the timestamp is UTC",
};

function unstorable(field: string): Rejection {
  return {
    code: 'invalid_field',
    message: `${field} can't be used`,
    hint: `${field} may not contain NUL or half a surrogate pair`,
  };
}

function notJson(reason: string): Rejection {
  return { code: 'invalid_json', message: `not valid JSON: ${reason}`, hint: JSON_HINT };
}

const JSON_HINT = 'send one JSON object, an array of them, or one a line';

function bodyError(problem: BodyProblem): LullError {
  if (problem === 'empty') return new LullError('invalid_json', 'the body is empty');
  if (problem === 'broken_array') {
    return new LullError('invalid_json', 'the array has no end, or something follows it');
  }
  return new LullError('body_too_large', `more than ${MAX_EVENTS} events in one request`);
}
