/** What lies in Redis, and under which keys; docs/redis.md says the same to people. */
import type { SessionRecord } from '../core/output.ts';

/** Rises when what lies under the keys changes, so that versions of Lull don't meet there. */
const LAYOUT = 1;

export interface RedisKeys {
  /** Followed by the user's id: the user's value. */
  readonly user: string;
  /** Followed by a session's id: the id of its user. */
  readonly session: string;
  /** Users by the end of their session. */
  readonly ends: string;
  /** Followed by a partition: its users by the time at which their values expire. */
  readonly expiries: string;
  /** Up to where each partition has been published. */
  readonly positions: string;
  /** The channel on which changes are told. */
  readonly changes: string;
}

/** Everything is of one log: positions of another mean nothing beside these. */
export function keysOf(prefix: string, logId: string): RedisKeys {
  const root = `${prefix}:${LAYOUT}:${logId}`;
  return {
    user: `${root}:user:`,
    session: `${root}:session:`,
    ends: `${root}:ends`,
    expiries: `${root}:expiries:`,
    positions: `${root}:positions`,
    changes: `${root}:changes`,
  };
}

/** What scripts, lists and the guard need to know: the first line of a value. */
export interface Header {
  readonly position: number;
  readonly partition: number;
  /** When it was published. */
  readonly asOfMs: number;
}

const NEWLINE = 10;

/**
 * The value of a user: one line of JSON (position, partition, asOfMs; and of a session endMs,
 * eventCount, hasCart, hasConversion, sessionId, device), then the record as the state has it.
 * Without a session only the line: the marker that keeps older commits from bringing one back.
 */
export function encodeValue(
  { position, partition, asOfMs }: Header,
  session: SessionRecord | null,
  record: Uint8Array | null,
): Buffer {
  const fields: (string | number | null)[] = [position, partition, asOfMs];
  if (session !== null) {
    fields.push(Date.parse(session.endTime), session.eventCount, session.addToCarts > 0 ? 1 : 0);
    fields.push(session.hasConversion ? 1 : 0, session.sessionId, session.device);
  }
  const line = Buffer.from(`${JSON.stringify(fields)}\n`);
  return record === null ? line : Buffer.concat([line, record]);
}

export interface DecodedValue {
  /** The whole first line: two values of a user with the same one are the same. */
  readonly line: string;
  readonly record: Uint8Array;
}

/** Null for a marker. */
export function splitValue(value: Uint8Array): DecodedValue | null {
  const end = value.indexOf(NEWLINE);
  const record = value.subarray(end + 1);
  if (record.length === 0) return null;
  return { line: Buffer.from(value.buffer, value.byteOffset, end).toString(), record };
}

export function headerOf(line: string): Header {
  const [position, partition, asOfMs] = JSON.parse(line);
  return { position, partition, asOfMs };
}

export interface ToldChange {
  readonly userId: string;
  readonly value: Uint8Array;
}

/** A message on the channel: for each user a line with two lengths, then the id and the value. */
export function* decodeChanges(message: Buffer): Generator<ToldChange> {
  for (let at = 0; at < message.length; ) {
    const lineEnd = message.indexOf(NEWLINE, at);
    const lengths = message.toString('latin1', at, lineEnd).split(' ');
    const valueAt = lineEnd + 1 + Number(lengths[0]);
    at = valueAt + Number(lengths[1]);
    yield {
      userId: message.toString('utf8', lineEnd + 1, valueAt),
      value: message.subarray(valueAt, at),
    };
  }
}
