/** What answers about sessions have in common: where they came from, how fresh they are. */
import type { SessionRecord } from '../../core/output.ts';
import { LullError } from '../../errors.ts';
import type { SessionAnswer } from '../../http/schemas.ts';
import type { LiveAnswer } from '../../live/live.ts';
import type { LookupMetrics } from './lookup-metrics.ts';

export function fromLive({ session, asOfMs, source }: LiveAnswer): SessionAnswer {
  return { ...session, source, asOf: new Date(asOfMs).toISOString() };
}

/** What the live cache says; or that it can't be asked at present, with the error that says so. */
export async function askLive(
  asked: Promise<LiveAnswer | null>,
  lookups: LookupMetrics,
): Promise<{ readonly found: LiveAnswer | null; readonly away: LullError | null }> {
  try {
    const found = await asked;
    lookups.live(found?.source ?? null);
    return { found, away: null };
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
