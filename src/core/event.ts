/** An event as the core sees it, and the decoding of one from what a client sent. */
import { hash53, utf8Length } from './hash.ts';
import { parseMoney } from './money.ts';
import { parseTime } from './time.ts';

/** One thing a user did. Times are epoch milliseconds; money is in millionths of the currency. */
export interface Event {
  /**
   * Hash of the client's event id; duplicates are told by it, ties of time are broken by it. Below
   * zero for an id that was made up for an event without one: it can't come again.
   */
  readonly idHash: number;
  readonly userId: string;
  readonly eventType: string;
  readonly timestamp: number;
  readonly page: string | null;
  readonly referrer: string | null;
  readonly device: string | null;
  readonly utmSource: string | null;
  readonly utmMedium: string | null;
  readonly utmCampaign: string | null;
  /** Total value of the event (not per unit), in millionths; null when it carries none. */
  readonly amountMicros: bigint | null;
  /** ISO 4217 code in capitals; `XXX` (no currency) when an amount comes without one. */
  readonly currency: string | null;
}

/** What a session keeps of an event: all but whose it is. */
export type EventFacts = Omit<Event, 'userId'>;

/** Why something sent to us is not an event, in words for the one who sent it. */
export interface Rejection {
  readonly code: RejectionCode;
  readonly message: string;
  readonly hint: string;
}

export type RejectionCode =
  | 'invalid_json'
  | 'not_an_object'
  | 'missing_field'
  | 'invalid_field'
  | 'invalid_timestamp'
  | 'event_too_large'
  | 'timestamp_in_future'
  | 'wrong_partition';

export type Decoded =
  | { readonly ok: true; readonly event: Event }
  | { readonly ok: false; readonly rejection: Rejection };

/** Longest user id and event id, in UTF-8 bytes (interface: user ids up to 256 bytes). */
export const MAX_ID_BYTES = 256;
/** Longest event type, in characters. */
export const MAX_TYPE_CHARS = 64;
/** Pages, referrers and other descriptive text are cut to this many characters in a session. */
export const MAX_TEXT_CHARS = 512;
/** NUL and halves of a pair: no store could give them back as they are. */
const NOT_TEXT = /[\0\ud800-\udfff]/u;

/**
 * Decodes one parsed JSON value. `fallbackId` stands in for a missing `eventId`, so that ties
 * are still broken the same way on a second reading of the same log (its position, say).
 */
export function decodeEvent(value: unknown, fallbackId: string): Decoded {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return reject('not_an_object', 'an event is a JSON object', 'see /docs for its fields');
  }
  const raw = value as Record<string, unknown>;
  const userId = raw['userId'];
  if (userId === undefined || userId === null || userId === '') return missing('userId');
  if (typeof userId !== 'string' || tooManyBytes(userId) || NOT_TEXT.test(userId)) {
    return invalid('userId', `a string of 1 to ${MAX_ID_BYTES} bytes of valid text`);
  }
  const eventType = raw['eventType'];
  if (eventType === undefined || eventType === null || eventType === '') {
    return missing('eventType');
  }
  if (
    typeof eventType !== 'string' ||
    eventType.length > MAX_TYPE_CHARS ||
    NOT_TEXT.test(eventType)
  ) {
    return invalid('eventType', `a string of 1 to ${MAX_TYPE_CHARS} characters of valid text`);
  }
  if (raw['timestamp'] === undefined || raw['timestamp'] === null) return missing('timestamp');
  const timestamp = parseTime(raw['timestamp']);
  if (timestamp === null) {
    return reject(
      'invalid_timestamp',
      'timestamp is neither ISO 8601 nor epoch milliseconds',
      'send 2026-11-23T10:00:00.000Z or 1795428000000; epoch seconds are refused',
    );
  }
  const eventId = raw['eventId'];
  if (eventId !== undefined && eventId !== null) {
    if (typeof eventId !== 'string' || eventId === '' || tooManyBytes(eventId)) {
      return invalid('eventId', `a string of 1 to ${MAX_ID_BYTES} bytes, or leave it out`);
    }
  }
  const amountMicros = raw['amount'] === undefined ? null : parseMoney(raw['amount']);
  if (amountMicros === null && raw['amount'] !== undefined && raw['amount'] !== null) {
    return invalid('amount', 'a decimal number of at most 15 digits before the point');
  }
  const currency = raw['currency'] ?? null;
  if (currency !== null && (typeof currency !== 'string' || !/^[A-Za-z]{3}$/.test(currency))) {
    return invalid('currency', 'a three-letter ISO 4217 code such as EUR');
  }
  const utm = typeof raw['utm'] === 'object' && raw['utm'] !== null ? raw['utm'] : null;
  const campaign = utm as Record<string, unknown> | null;
  return {
    ok: true,
    event: {
      idHash:
        eventId === undefined || eventId === null ? -hash53(fallbackId) : hash53(eventId as string),
      userId,
      eventType,
      timestamp,
      page: text(raw['page']),
      referrer: text(raw['referrer']),
      device: text(raw['device']),
      utmSource: text(campaign?.['source']),
      utmMedium: text(campaign?.['medium']),
      utmCampaign: text(campaign?.['campaign']),
      amountMicros,
      currency: amountMicros === null ? null : currency === null ? 'XXX' : currency.toUpperCase(),
    },
  };
}

/** Descriptive text: cut to its bound; anything that is not a string counts as absent. */
function text(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return value.length > MAX_TEXT_CHARS ? value.slice(0, MAX_TEXT_CHARS) : value;
}

function tooManyBytes(value: string): boolean {
  if (value.length * 3 <= MAX_ID_BYTES) return false;
  return value.length > MAX_ID_BYTES || utf8Length(value) > MAX_ID_BYTES;
}

function missing(field: string): Decoded {
  return reject('missing_field', `${field} is missing`, `every event needs ${field}`);
}

function invalid(field: string, wanted: string): Decoded {
  return reject('invalid_field', `${field} can't be used`, `${field} is ${wanted}`);
}

function reject(code: RejectionCode, message: string, hint: string): Decoded {
  return { ok: false, rejection: { code, message, hint } };
}
