/** Where a page ended, as an opaque text that a caller hands back. */
import { parseTime } from '../core/time.ts';
import { LullError } from '../errors.ts';

/** The last session of a page: the next page goes on below it. */
export interface PageEnd {
  readonly time: string;
  readonly sessionId: string;
}

/** Above every session: where the first page begins. */
export const FIRST_PAGE: PageEnd = { time: 'infinity', sessionId: '' };

const MAX_CURSOR_CHARS = 512;

export function encodeCursor(end: PageEnd): string {
  return Buffer.from(JSON.stringify([end.time, end.sessionId])).toString('base64url');
}

/** null stands for the first page. Throws `invalid_cursor` for what `encodeCursor` never wrote. */
export function decodeCursor(cursor: string | null): PageEnd {
  if (cursor === null) return FIRST_PAGE;
  if (cursor.length <= MAX_CURSOR_CHARS && /^[A-Za-z0-9_-]+$/.test(cursor)) {
    const parts = parseJson(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === 2) {
      const [time, sessionId] = parts;
      const known = typeof time === 'string' && parseTime(time) !== null;
      if (known && typeof sessionId === 'string' && !sessionId.includes('\0')) {
        return { time, sessionId };
      }
    }
  }
  throw new LullError('invalid_cursor', 'the cursor is not one that a list gave');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
