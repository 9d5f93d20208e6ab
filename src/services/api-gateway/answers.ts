/** What answers about sessions have in common: where they came from, how fresh they are. */
import type { SessionRecord } from '../../core/output.ts';
import type { SessionAnswer } from '../../http/schemas.ts';
import type { LiveAnswer } from '../../live/live.ts';

export function fromLive({ session, asOfMs, source }: LiveAnswer): SessionAnswer {
  return { ...session, source, asOf: new Date(asOfMs).toISOString() };
}

export function fromStore(
  session: SessionRecord,
  source: 'state' | 'standby' | 'history',
  asOfMs: number,
): SessionAnswer {
  return { ...session, source, asOf: new Date(asOfMs).toISOString() };
}
