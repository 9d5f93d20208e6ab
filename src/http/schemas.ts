/** The shapes that requests take and answers have: checked, serialized and documented by these. */
import { type TProperties, type TSchema, Type } from 'typebox';
import type { SessionRecord } from '../core/output.ts';

const nullableText = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], description });
const time = (description: string) => Type.String({ format: 'date-time', description });
const nullableTime = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const money = (description: string) => Type.Record(Type.String(), Type.Number(), { description });

const sessionFields = {
  sessionId: Type.String(),
  userId: Type.String(),
  state: Type.Unsafe<'active' | 'closed' | 'amended'>(
    Type.String({ enum: ['active', 'closed', 'amended'], description: 'amended: changed late' }),
  ),
  revision: count('times it has been sent; the highest is the truth'),
  tier: nullableText('the deadline that it had passed when it was sent (5m)'),
  closeReason: nullableText('inactivity, max_duration, max_events, explicit or erased'),
  startTime: time('its first event'),
  endTime: time('its last event'),
  durationSeconds: Type.Number(),
  eventCount: Type.Integer(),
  eventCounts: Type.Record(Type.String(), Type.Integer(), { description: 'by event type' }),
  firstEventTimes: Type.Record(Type.String(), Type.String({ format: 'date-time' })),
  entryPage: nullableText('page of the earliest event'),
  exitPage: nullableText('page of the latest event'),
  pageViews: count('events of type PAGE_VIEW'),
  distinctPages: count('pages seen, of which 64 are counted'),
  distinctPagesTruncated: Type.Boolean(),
  searches: count('events of type SEARCH'),
  addToCarts: count('events of type ADD_TO_CART'),
  purchases: count('events of type PURCHASE'),
  revenue: money('purchases, by currency'),
  cartValue: money('cart additions, by currency'),
  hasConversion: Type.Boolean(),
  firstConversionTime: nullableTime('its first purchase'),
  referrer: nullableText('of the earliest event'),
  utm: Type.Object({
    source: nullableText('utm_source'),
    medium: nullableText('utm_medium'),
    campaign: nullableText('utm_campaign'),
  }),
  channel: Type.Unsafe<SessionRecord['channel']>(
    Type.String({ description: 'direct, search, social, email, paid, referral or campaign' }),
  ),
  device: nullableText('of the earliest event that names one'),
  bounced: Type.Boolean({ description: 'one page view and nothing else' }),
  engaged: Type.Boolean({ description: '10 s or longer, a conversion, or two page views' }),
  firstArrival: nullableTime('when its first event reached us'),
  lastArrival: nullableTime('when its last event reached us'),
  lateCount: count('events that came after it was closed'),
  duplicateCount: count('events whose id it had already'),
  endOvertakenCount: count('end events that were not its last'),
  previousSessionId: nullableText('the session that a bound or an end event cut it from'),
  trail: Type.Array(
    Type.Object({ type: Type.String(), page: nullableText('its page'), time: time('when') }),
    { description: 'its first and last events, oldest first' },
  ),
  trailTruncated: Type.Boolean({ description: 'events between the first and last are left out' }),
};

const sourceFields = {
  source: Type.String({
    description: 'process, redis, state or history: where the answer came from',
  }),
  asOf: time('how fresh the answer is'),
};

/** Schemas that routes name by `ref`. */
export const SHARED_SCHEMAS: readonly TSchema[] = [
  Type.Object(sessionFields, { $id: 'Session' }),
  Type.Object({ ...sessionFields, ...sourceFields }, { $id: 'SessionAnswer' }),
  Type.Object(
    {
      error: Type.Object({ code: Type.String(), message: Type.String(), hint: Type.String() }),
    },
    { $id: 'Error' },
  ),
  Type.Object(
    {
      eventId: Type.Optional(Type.String({ maxLength: 256 })),
      userId: Type.String({ minLength: 1, maxLength: 256 }),
      eventType: Type.String({ minLength: 1, maxLength: 64 }),
      timestamp: Type.Unsafe<string | number>({
        type: ['string', 'integer'],
        description: 'ISO 8601, or epoch milliseconds',
      }),
      page: Type.Optional(Type.String()),
      referrer: Type.Optional(Type.String()),
      device: Type.Optional(Type.String()),
      productId: Type.Optional(Type.String()),
      category: Type.Optional(Type.String()),
      query: Type.Optional(Type.String({ description: 'what was searched for' })),
      quantity: Type.Optional(Type.Number()),
      amount: Type.Optional(Type.Number({ description: 'total value of the event' })),
      currency: Type.Optional(Type.String({ description: 'ISO 4217: EUR' })),
      utm: Type.Optional(
        Type.Object({
          source: Type.Optional(Type.String()),
          medium: Type.Optional(Type.String()),
          campaign: Type.Optional(Type.String()),
        }),
      ),
      properties: Type.Optional(Type.Object({}, { additionalProperties: true })),
    },
    { $id: 'Event', additionalProperties: true },
  ),
];

export type SessionAnswer = SessionRecord & { readonly source: string; readonly asOf: string };

export const SessionRef = Type.Unsafe<SessionRecord>(Type.Ref('Session'));
export const SessionAnswerRef = Type.Unsafe<SessionAnswer>({
  ...Type.Ref('SessionAnswer'),
  description: 'The session',
});

/** A page of a list. */
export function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object(
    {
      items: Type.Array(item),
      nextCursor: nullableText('what to send as `cursor` for the next page; null on the last'),
    },
    { description: 'A page of them, and `nextCursor`: null on the last' },
  );
}

/** Refusals, which every route may answer with. */
export const REFUSALS = {
  '4xx': Type.Unsafe<never>({ ...Type.Ref('Error'), description: 'What is wrong, and what to do' }),
  '5xx': Type.Unsafe<never>({ ...Type.Ref('Error'), description: 'Not now: see Retry-After' }),
};

export const UserParams = Type.Object({
  userId: Type.String({
    minLength: 1,
    maxLength: 256,
    description: 'a user id of at most 256 bytes, percent-encoded',
    examples: ['user-1'],
  }),
});

export const SessionParams = Type.Object({
  sessionId: Type.String({
    minLength: 1,
    maxLength: 256,
    description: 'a session id, as history and streams give it',
    examples: ['0a1b2c3d4e5f60718293a4b5c6d7e8f9'],
  }),
});

/** What may stand behind the `?`: one that is misspelt is refused, not ignored. */
export function parameters<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false });
}

/** A parameter that may be left out and yet is always there: its default is put in. */
export function withDefault<Schema extends TSchema>(schema: Schema): Schema {
  return Type.Optional(schema) as unknown as Schema;
}

export const limit = (defaultLimit: number) =>
  withDefault(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: defaultLimit,
      description: 'entries on a page, 1 to 1000',
    }),
  );

export const cursor = Type.String({
  maxLength: 4096,
  description: '`nextCursor` of the page before',
});

export const WriteHeaders = Type.Object({
  'lull-after': Type.Optional(
    Type.String({
      maxLength: 8192,
      description: '`position` of a write that the answer must include; waits at most 2 s',
    }),
  ),
});

/** Filters that the list of live sessions and the stream share. */
export const sessionFilters = {
  minEvents: Type.Optional(Type.Integer({ minimum: 0, description: 'at least so many events' })),
  hasCart: Type.Optional(Type.Boolean({ description: 'true: something was put into the cart' })),
  hasConversion: Type.Optional(Type.Boolean({ description: 'true: something was bought' })),
  device: Type.Optional(Type.String({ maxLength: 512, description: 'this device only: mobile' })),
};

export const minIdle = Type.String({
  pattern: '^\\d{1,9}(ms|s|m|h|d)?$',
  description: 'idle for at least this long: 5m, 90s, or a number of seconds',
  examples: ['5m'],
});
