/** The place in a list of live sessions, as an opaque text. */
import { LullError } from '../errors.ts';

export interface LivePlace {
  readonly endMs: number;
  readonly userId: string;
}

export function encodeCursor({ endMs, userId }: LivePlace): string {
  return Buffer.from(JSON.stringify([endMs, userId])).toString('base64url');
}

/** Throws `invalid_cursor` for anything that `encodeCursor` doesn't give out. */
export function decodeCursor(cursor: string): LivePlace {
  const place = parse(cursor);
  if (place === null || encodeCursor(place) !== cursor) {
    throw new LullError('invalid_cursor', 'this cursor is not one of ours');
  }
  return place;
}

function parse(cursor: string): LivePlace | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [endMs, userId] = value;
    return Number.isSafeInteger(endMs) && typeof userId === 'string' ? { endMs, userId } : null;
  } catch {
    return null;
  }
}
