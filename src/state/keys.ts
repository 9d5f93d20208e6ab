/** How the state lies in one ordered key space: a byte for the kind, the partition, the rest. */
import type { LogRecord } from '../log/log.ts';
import type { DeadlineEntry } from './state.ts';

const META = 0;
const STATE = 1;
const DEADLINE = 2;
const OUTPUT = 3;

/** Minutes and offsets take six bytes: safe integers for longer than anybody will run this. */
const NUMBER_BYTES = 6;

export function metaKey(name: string): Buffer {
  return Buffer.from(`\0${name}`);
}

export function metaName(key: Buffer): string {
  return key.toString('utf8', 1);
}

/** Bounds of all meta entries. */
export const META_RANGE = [Buffer.of(META), Buffer.of(META + 1)] as const;

export const STATE_PREFIX_BYTES = 3;

export function stateKey(partition: number, key: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(STATE_PREFIX_BYTES + key.length);
  bytes[0] = STATE;
  bytes.writeUInt16BE(partition, 1);
  bytes.set(key, STATE_PREFIX_BYTES);
  return bytes;
}

const DEADLINE_PREFIX_BYTES = 3 + NUMBER_BYTES;

/** `userId`: also as its UTF-8 bytes. */
export function deadlineKey(
  partition: number,
  minute: number,
  userId: string | Uint8Array = '',
): Buffer {
  const length = typeof userId === 'string' ? Buffer.byteLength(userId) : userId.length;
  const bytes = Buffer.allocUnsafe(DEADLINE_PREFIX_BYTES + length);
  bytes[0] = DEADLINE;
  bytes.writeUInt16BE(partition, 1);
  bytes.writeUIntBE(minute, 3, NUMBER_BYTES);
  if (typeof userId === 'string') bytes.write(userId, DEADLINE_PREFIX_BYTES);
  else bytes.set(userId, DEADLINE_PREFIX_BYTES);
  return bytes;
}

/** The smallest key of an entry after `after`; that of any entry when it is null. */
export function deadlineStart(partition: number, after: DeadlineEntry | null): Buffer {
  if (after === null) return deadlineKey(partition, 0);
  return Buffer.concat([deadlineKey(partition, after.minute, after.userId), Buffer.of(0)]);
}

export function deadlineEntry(key: Buffer): DeadlineEntry {
  return {
    minute: key.readUIntBE(3, NUMBER_BYTES),
    userId: key.toString('utf8', DEADLINE_PREFIX_BYTES),
  };
}

export function outputKey(topicId: number, partition: number, offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(5 + NUMBER_BYTES);
  bytes[0] = OUTPUT;
  bytes.writeUInt16BE(topicId, 1);
  bytes.writeUInt16BE(partition, 3);
  bytes.writeUIntBE(offset, 5, NUMBER_BYTES);
  return bytes;
}

/** Arrival, length of the key, key, value. */
export function outputValue(arrivalMs: number, key: string, value: Uint8Array): Buffer {
  const keyBytes = Buffer.byteLength(key);
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES + 2 + keyBytes + value.length);
  bytes.writeUIntBE(arrivalMs, 0, NUMBER_BYTES);
  bytes.writeUInt16BE(keyBytes, NUMBER_BYTES);
  bytes.write(key, NUMBER_BYTES + 2);
  bytes.set(value, NUMBER_BYTES + 2 + keyBytes);
  return bytes;
}

export function outputRecord(key: Buffer, value: Buffer): LogRecord {
  const keyEnd = NUMBER_BYTES + 2 + value.readUInt16BE(NUMBER_BYTES);
  return {
    offset: key.readUIntBE(5, NUMBER_BYTES),
    arrivalMs: value.readUIntBE(0, NUMBER_BYTES),
    key: value.toString('utf8', NUMBER_BYTES + 2, keyEnd),
    value: value.subarray(keyEnd),
  };
}

/** The smallest key above every key that starts with `prefix`; prefixes here never are all 0xff. */
export function prefixEnd(prefix: Buffer): Buffer {
  let last = prefix.length - 1;
  while (prefix[last] === 0xff) last--;
  const end = Buffer.from(prefix.subarray(0, last + 1));
  end[last]!++;
  return end;
}
