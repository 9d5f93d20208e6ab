/** What answers about sessions have in common: where they came from, how fresh they are. */
import { MAX_ID_BYTES } from '../../core/event.ts';
import type { SessionRecord } from '../../core/output.ts';
import { LullError } from '../../errors.ts';
import type { LiveAnswer } from '../../live/live.ts';
import type { SessionAnswer } from './schemas.ts';

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

/** Ids are bounded in UTF-8 bytes, which a schema can't say. */
export function checkId(name: string, id: string): string {
  if (id.length * 3 <= MAX_ID_BYTES || Buffer.byteLength(id) <= MAX_ID_BYTES) return id;
  throw new LullError('invalid_parameter', `${name} is longer than ${MAX_ID_BYTES} bytes`);
}
