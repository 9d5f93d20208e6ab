/** Sessions that were sent, as records of the `sessions` topic: JSON, from the start. */
import { durationText } from '../../core/definition.ts';
import { JsonBytes } from '../../core/json-bytes.ts';
import type { Described, MergedRecord, SentRecord, Teller } from '../../core/output.ts';
import { writeSession } from '../../core/session-json.ts';
import type { OutputRecord } from '../../state/state.ts';

export interface SentSession extends OutputRecord {
  /** Of the session's first event, which identifies it within the partition. */
  readonly sessionOffset: number;
  readonly state: SentRecord['state'];
  /** The tier that it has passed, as the record says it; empty for none. */
  readonly tier: string;
}

/** Records share blocks of this size, which live as long as the commit that they are part of. */
const BLOCK_BYTES = 32 * 1024;

export class SessionOutputs implements Teller<SentSession> {
  readonly #json = new JsonBytes(BLOCK_BYTES);

  session(...described: Described): SentSession {
    const [, { tiersMs }, userId, session, state, tier] = described;
    writeSession(this.#json, described);
    const tierText = tier === null ? '' : durationText(tiersMs[tier]!);
    return this.#record(userId, session.offset, state, tierText);
  }

  merged(record: MergedRecord, offset: number): SentSession {
    this.#json.append(JSON.stringify(record));
    return this.#record(record.userId, offset, record.state, '');
  }

  #record(key: string, offset: number, state: SentSession['state'], tier: string): SentSession {
    const value = this.#json.take();
    return { topic: 'sessions', key, value, sessionOffset: offset, state, tier };
  }
}

/** Of a session sent several times only what was sent last: it is the truth of this commit. */
export function newestOf(sent: readonly SentSession[]): readonly SentSession[] {
  const newest = new Map<number, SentSession>();
  for (const record of sent) newest.set(record.sessionOffset, record);
  if (newest.size === sent.length) return sent;
  return sent.filter((record) => newest.get(record.sessionOffset) === record);
}
