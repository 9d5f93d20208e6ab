/** What answers about sessions have in common: where they came from, how fresh they are. */
import type { SessionRecord } from '../../core/output.ts';
import { LullError } from '../../errors.ts';
import type { SessionAnswer } from '../../http/schemas.ts';
import type { LiveAnswer } from '../../live/live.ts';

export function fromLive({ session, asOfMs, source }: LiveAnswer): SessionAnswer {
  return { ...session, source, asOf: new Date(asOfMs).toISOString() };
}

/** What the live cache says; or that it can't be asked at present, with the error that says so. */
export async function askLive(
  asked: Promise<LiveAnswer | null>,
): Promise<{ readonly found: LiveAnswer | null; readonly away: LullError | null }> {
  try {
    return { found: await asked, away: null };
  } catch (error) {
    if (error instanceof LullError && error.code === 'live_unavailable') {
      return { found: null, away: error };
    }
    throw error;
  }
}

export function fromStore(
  session: SessionRecord,
  source: 'state' | 'standby' | 'history',
  asOfMs: number,
): SessionAnswer {
  return { ...session, source, asOf: new Date(asOfMs).toISOString() };
}
