/** Where a page ended, as an opaque text that a caller hands back. */
import { parseTime } from '../core/time.ts';
import { LullError } from '../errors.ts';

export type ListKind = 'ofUser' | 'converted';

/** The last session of a page: the next page goes on below it. */
export interface PageEnd {
  /** The time that the list is ordered by. */
  readonly time: string;
  readonly sessionId: string;
}

/** Above every session: where the first page begins. */
export const FIRST_PAGE: PageEnd = { time: 'infinity', sessionId: '' };

const MAX_CURSOR_CHARS = 1024;

export function encodeCursor(list: ListKind, { time, sessionId }: PageEnd): string {
  return Buffer.from(JSON.stringify([list, time, sessionId])).toString('base64url');
}

/** null stands for the first page. Throws `invalid_cursor` for what this list never gave. */
export function decodeCursor(list: ListKind, cursor: string | null): PageEnd {
  if (cursor === null) return FIRST_PAGE;
  const parts = cursor.length <= MAX_CURSOR_CHARS ? parse(cursor) : null;
  if (Array.isArray(parts) && parts.length === 3) {
    const [kind, time, sessionId] = parts;
    const isKnown = kind === list && typeof time === 'string' && parseTime(time) !== null;
    if (isKnown && typeof sessionId === 'string' && !sessionId.includes('\0')) {
      return { time, sessionId };
    }
  }
  throw new LullError('invalid_cursor', 'the cursor is not one that this list gave');
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return null;
  }
}
