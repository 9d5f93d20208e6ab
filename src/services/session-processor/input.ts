/** A record of the input log as an event, or as what is to be kept of one that can't be used. */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { isoTime } from '../../core/describe.ts';
import { type Decoded, decodeEvent, type Event, type Rejection } from '../../core/event.ts';
import { partitionOf } from '../../core/hash.ts';
import { type LogRecord, RecordView } from '../../log/log.ts';

/** Where a record lies. */
export interface Place {
  readonly logId: string;
  readonly partition: number;
  readonly partitionCount: number;
}

/** Copies of refused events keep this much, so that no input makes our own records too large. */
const MAX_ORIGINAL_BYTES = 64 * 1024;

const NOT_JSON: Decoded = {
  ok: false,
  rejection: {
    code: 'invalid_json',
    message: 'the record is not JSON',
    hint: 'write one JSON object a record, in UTF-8',
  },
};

/** Where a record's value lies. */
export function spanOf(record: LogRecord): { bytes: Uint8Array; start: number; end: number } {
  if (record instanceof RecordView) {
    return { bytes: record.bytes, start: record.keyEnd, end: record.valueEnd };
  }
  const { value } = record;
  return { bytes: value, start: 0, end: value.length };
}

export function decodeRecord(record: LogRecord, place: Place): Decoded {
  const { value } = record;
  let parsed: unknown;
  try {
    parsed = JSON.parse(asBuffer(value).toString('utf8'));
  } catch {
    return NOT_JSON;
  }
  return decodeEvent(parsed, `${place.logId}/${place.partition}/${record.offset}`);
}

/** Whether Kafka's default partitioner would have put this user here. */
export function isMisplaced(event: Event, place: Place): boolean {
  return partitionOf(event.userId, place.partitionCount) !== place.partition;
}

export const WRONG_PARTITION: Rejection = {
  code: 'wrong_partition',
  message: 'the record lies in another partition than murmur2 of its userId gives',
  hint: "use the userId as key, and Kafka's default partitioner (librdkafka: murmur2_random)",
};

export const IN_FUTURE: Rejection = {
  code: 'timestamp_in_future',
  message: 'the event is timed too far past its arrival',
  hint: "correct the client's clock, or raise --max-future",
};

export const TOO_LATE = {
  code: 'too_late',
  message: 'the event came after the last tier of the session it belongs to',
  hint: 'raise the last of --tiers, or add history with lull sessionize',
} as const;

/** What `late-events` and `rejected-events` keep of an event: the reason, the place, the bytes. */
export function refusalRecord(
  record: LogRecord,
  place: Place,
  reason: { readonly code: string; readonly message: string; readonly hint: string },
): Uint8Array {
  const original = asBuffer(record.value);
  const kept = original.subarray(0, MAX_ORIGINAL_BYTES);
  return Buffer.from(
    JSON.stringify({
      reason: reason.code,
      message: reason.message,
      hint: reason.hint,
      topic: 'user-events',
      partition: place.partition,
      offset: record.offset,
      arrivalTime: isoTime(record.arrivalMs),
      ...(isUtf8(original)
        ? { original: kept.toString('utf8') }
        : { originalBase64: kept.toString('base64') }),
      originalBytes: original.length,
      originalSha256: createHash('sha256').update(original).digest('hex'),
    }),
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
