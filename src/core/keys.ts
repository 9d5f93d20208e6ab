/** Keys of a partition's records in the state store. */
import { readUtf8 } from './encoding.ts';
import { utf8Length, writeUtf8 } from './hash.ts';

/** First byte of a key: what kind of record it is. */
const USER = 1;
const SESSION = 2;
const CHUNK = 3;

/** Prefix under which all users of a partition are found. */
export const USER_PREFIX = Uint8Array.of(USER);

export function isUserKey(key: Uint8Array): boolean {
  return key[0] === USER;
}

/** A user's record: the headers of its sessions, and the live ones whole. */
export function userKey(userId: string): Uint8Array {
  const key = new Uint8Array(1 + utf8Length(userId));
  key[0] = USER;
  writeUtf8(userId, key, 1);
  return key;
}

/** The rest of a closed session that is not settled yet. */
export function sessionKey(userId: string, offset: number): Uint8Array {
  return keyOf(SESSION, userId, offset);
}

/** A sealed chunk of event ids. */
export function chunkKey(userId: string, name: number): Uint8Array {
  return keyOf(CHUNK, userId, name);
}

/** The user id in a user's key. */
export function userIdOf(key: Uint8Array): string {
  return readUtf8(key, 1, key.length - 1);
}

/** The same as its UTF-8 bytes. */
export function userIdBytes(key: Uint8Array): Uint8Array {
  return key.subarray(1);
}

function keyOf(kind: number, userId: string, number: number): Uint8Array {
  const length = utf8Length(userId);
  const key = new Uint8Array(3 + length + 8);
  const view = new DataView(key.buffer);
  key[0] = kind;
  view.setUint16(1, length);
  writeUtf8(userId, key, 3);
  view.setBigUint64(3 + length, BigInt(number));
  return key;
}
