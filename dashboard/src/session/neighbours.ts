/** The sessions of the same user before and after one. */
import { ApiError, get } from '../api.ts';
import type { Session } from '../api-types.ts';

const PAGE = 100;
/** Further back nobody looks. */
const MAX_PAGES = 10;

export interface Neighbours {
  readonly before: Session | null;
  readonly after: Session | null;
}

export async function loadNeighbours(session: Session, signal: AbortSignal): Promise<Neighbours> {
  const user = encodeURIComponent(session.userId);
  let after: Session | null = null;
  const active = await activeOf(user, signal);
  if (active !== null && active.startTime > session.startTime) after = active;
  let cursor: string | null = null;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: readonly Session[]; nextCursor: string | null } = await get(
      '/api/sessions/history/{userId}',
      `/api/sessions/history/${user}?limit=${PAGE}${from}`,
      signal,
    );
    for (const other of page.items) {
      if (other.sessionId === session.sessionId) continue;
      if (other.startTime < session.startTime) return { before: other, after };
      after = other;
    }
    cursor = page.nextCursor;
    if (cursor === null) break;
  }
  return { before: null, after };
}

async function activeOf(user: string, signal: AbortSignal): Promise<Session | null> {
  try {
    return await get('/api/sessions/active/{userId}', `/api/sessions/active/${user}`, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
