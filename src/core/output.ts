/** What the core gives out: sessions as others see them, and what became of each event. */
import type { SessionDefinition } from './definition.ts';
import type { Identity } from './describe.ts';
import type { Session } from './session.ts';

/** A session as in REST, the `sessions` topic, NDJSON and one row of `user_sessions`. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly userId: string;
  /** `closed`: sent past its first tier; `amended`: sent again after that. */
  readonly state: 'active' | 'closed' | 'amended';
  /** Times the session has been sent; 0 = never yet. The highest one is the truth. */
  readonly revision: number;
  /** The tier whose deadline it had passed when it was sent (`5m`); null while it is active. */
  readonly tier: string | null;
  readonly closeReason: CloseReason | null;
  /** ISO 8601 UTC with milliseconds, as all times here. */
  readonly startTime: string;
  readonly endTime: string;
  readonly durationSeconds: number;
  readonly eventCount: number;
  /** By event type: the 64 smallest names; what others had is summed under `OTHER`. */
  readonly eventCounts: Readonly<Record<string, number>>;
  readonly firstEventTimes: Readonly<Record<string, string>>;
  readonly entryPage: string | null;
  readonly exitPage: string | null;
  readonly pageViews: number;
  readonly distinctPages: number;
  /** True when there were more distinct pages than the 64 that are counted. */
  readonly distinctPagesTruncated: boolean;
  readonly searches: number;
  readonly addToCarts: number;
  readonly purchases: number;
  /** Sum of the amounts of purchases, by currency. */
  readonly revenue: Readonly<Record<string, number>>;
  /** Sum of the amounts of cart additions, by currency. */
  readonly cartValue: Readonly<Record<string, number>>;
  readonly hasConversion: boolean;
  readonly firstConversionTime: string | null;
  readonly referrer: string | null;
  readonly utm: {
    readonly source: string | null;
    readonly medium: string | null;
    readonly campaign: string | null;
  };
  readonly channel: Channel;
  readonly device: string | null;
  /** One page view and nothing else. */
  readonly bounced: boolean;
  /** 10 s or longer, or a conversion, or two page views or more. */
  readonly engaged: boolean;
  readonly firstArrival: string | null;
  readonly lastArrival: string | null;
  readonly lateCount: number;
  readonly duplicateCount: number;
  readonly endOvertakenCount: number;
  readonly previousSessionId: string | null;
  /** The first and last events, oldest first; `trailTruncated` when some between are left out. */
  readonly trail: readonly TrailRecord[];
  readonly trailTruncated: boolean;
}

export interface TrailRecord {
  readonly type: string;
  readonly page: string | null;
  readonly time: string;
}

/** Sent once for a session that was absorbed by another: its row goes, its id lives on. */
export interface MergedRecord {
  readonly sessionId: string;
  readonly userId: string;
  readonly state: 'merged';
  readonly mergedInto: string;
  readonly revision: number;
}

export type SentRecord = SessionRecord | MergedRecord;

/** What sent sessions are made into at once, since they go on to change. */
export interface Teller<Sent> {
  session(...described: Described): Sent;
  /** `offset` is that of the session's first event, as it is of the described. */
  merged(record: MergedRecord, offset: number): Sent;
}

/** A session as it stands; `tier` is the index of the tier whose deadline it has passed. */
export type Described = readonly [
  identity: Identity,
  definition: SessionDefinition,
  userId: string,
  session: Session,
  state: SessionRecord['state'],
  tier: number | null,
];

export type CloseReason = 'inactivity' | 'max_duration' | 'max_events' | 'explicit' | 'erased';

export type Channel = 'direct' | 'search' | 'social' | 'email' | 'paid' | 'referral' | 'campaign';

/** What became of an event that the partition was given. */
export type Fate =
  | 'opened'
  | 'extended'
  | 'bridged'
  | 'amended'
  | 'duplicate'
  | 'late'
  | 'rejected';
