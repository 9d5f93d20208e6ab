/** The API's shapes: generated from its OpenAPI document, see test/docs.test.ts. */

export interface Session {
  readonly sessionId: string;
  readonly userId: string;
  /** amended: changed late */
  readonly state: 'active' | 'closed' | 'amended';
  /** times it has been sent; the highest is the truth */
  readonly revision: number;
  /** the deadline that it had passed when it was sent (5m) */
  readonly tier: string | null;
  /** inactivity, max_duration, max_events, explicit or erased */
  readonly closeReason: string | null;
  /** its first event */
  readonly startTime: string;
  /** its last event */
  readonly endTime: string;
  readonly durationSeconds: number;
  readonly eventCount: number;
  /** by event type */
  readonly eventCounts: Readonly<Record<string, number>>;
  readonly firstEventTimes: Readonly<Record<string, string>>;
  /** page of the earliest event */
  readonly entryPage: string | null;
  /** page of the latest event */
  readonly exitPage: string | null;
  /** events of type PAGE_VIEW */
  readonly pageViews: number;
  /** pages seen, of which 64 are counted */
  readonly distinctPages: number;
  readonly distinctPagesTruncated: boolean;
  /** events of type SEARCH */
  readonly searches: number;
  /** events of type ADD_TO_CART */
  readonly addToCarts: number;
  /** events of type PURCHASE */
  readonly purchases: number;
  /** purchases, by currency */
  readonly revenue: Readonly<Record<string, number>>;
  /** cart additions, by currency */
  readonly cartValue: Readonly<Record<string, number>>;
  readonly hasConversion: boolean;
  /** its first purchase */
  readonly firstConversionTime: string | null;
  /** of the earliest event */
  readonly referrer: string | null;
  readonly utm: {
    /** utm_source */
    readonly source: string | null;
    /** utm_medium */
    readonly medium: string | null;
    /** utm_campaign */
    readonly campaign: string | null;
  };
  /** direct, search, social, email, paid, referral or campaign */
  readonly channel: string;
  /** of the earliest event that names one */
  readonly device: string | null;
  /** one page view and nothing else */
  readonly bounced: boolean;
  /** 10 s or longer, a conversion, or two page views */
  readonly engaged: boolean;
  /** when its first event reached us */
  readonly firstArrival: string | null;
  /** when its last event reached us */
  readonly lastArrival: string | null;
  /** events that came after it was closed */
  readonly lateCount: number;
  /** events whose id it had already */
  readonly duplicateCount: number;
  /** end events that were not its last */
  readonly endOvertakenCount: number;
  /** the session that a bound or an end event cut it from */
  readonly previousSessionId: string | null;
  /** its first and last events, oldest first */
  readonly trail: readonly {
    readonly type: string;
    /** its page */
    readonly page: string | null;
    /** when */
    readonly time: string;
  }[];
  /** events between the first and last are left out */
  readonly trailTruncated: boolean;
}

export interface SessionAnswer {
  readonly sessionId: string;
  readonly userId: string;
  /** amended: changed late */
  readonly state: 'active' | 'closed' | 'amended';
  /** times it has been sent; the highest is the truth */
  readonly revision: number;
  /** the deadline that it had passed when it was sent (5m) */
  readonly tier: string | null;
  /** inactivity, max_duration, max_events, explicit or erased */
  readonly closeReason: string | null;
  /** its first event */
  readonly startTime: string;
  /** its last event */
  readonly endTime: string;
  readonly durationSeconds: number;
  readonly eventCount: number;
  /** by event type */
  readonly eventCounts: Readonly<Record<string, number>>;
  readonly firstEventTimes: Readonly<Record<string, string>>;
  /** page of the earliest event */
  readonly entryPage: string | null;
  /** page of the latest event */
  readonly exitPage: string | null;
  /** events of type PAGE_VIEW */
  readonly pageViews: number;
  /** pages seen, of which 64 are counted */
  readonly distinctPages: number;
  readonly distinctPagesTruncated: boolean;
  /** events of type SEARCH */
  readonly searches: number;
  /** events of type ADD_TO_CART */
  readonly addToCarts: number;
  /** events of type PURCHASE */
  readonly purchases: number;
  /** purchases, by currency */
  readonly revenue: Readonly<Record<string, number>>;
  /** cart additions, by currency */
  readonly cartValue: Readonly<Record<string, number>>;
  readonly hasConversion: boolean;
  /** its first purchase */
  readonly firstConversionTime: string | null;
  /** of the earliest event */
  readonly referrer: string | null;
  readonly utm: {
    /** utm_source */
    readonly source: string | null;
    /** utm_medium */
    readonly medium: string | null;
    /** utm_campaign */
    readonly campaign: string | null;
  };
  /** direct, search, social, email, paid, referral or campaign */
  readonly channel: string;
  /** of the earliest event that names one */
  readonly device: string | null;
  /** one page view and nothing else */
  readonly bounced: boolean;
  /** 10 s or longer, a conversion, or two page views */
  readonly engaged: boolean;
  /** when its first event reached us */
  readonly firstArrival: string | null;
  /** when its last event reached us */
  readonly lastArrival: string | null;
  /** events that came after it was closed */
  readonly lateCount: number;
  /** events whose id it had already */
  readonly duplicateCount: number;
  /** end events that were not its last */
  readonly endOvertakenCount: number;
  /** the session that a bound or an end event cut it from */
  readonly previousSessionId: string | null;
  /** its first and last events, oldest first */
  readonly trail: readonly {
    readonly type: string;
    /** its page */
    readonly page: string | null;
    /** when */
    readonly time: string;
  }[];
  /** events between the first and last are left out */
  readonly trailTruncated: boolean;
  /** process, redis, state or history: where the answer came from */
  readonly source: string;
  /** how fresh the answer is */
  readonly asOf: string;
}

export interface Error {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  };
}

export interface Event {
  readonly eventId?: string;
  readonly userId: string;
  readonly eventType: string;
  /** ISO 8601, or epoch milliseconds */
  readonly timestamp: string | number;
  readonly page?: string;
  readonly referrer?: string;
  readonly device?: string;
  readonly productId?: string;
  readonly category?: string;
  /** what was searched for */
  readonly query?: string;
  readonly quantity?: number;
  /** total value of the event */
  readonly amount?: number;
  /** ISO 4217: EUR */
  readonly currency?: string;
  readonly utm?: {
    readonly source?: string;
    readonly medium?: string;
    readonly campaign?: string;
  };
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** What each GET answers with. */
export interface Answers {
  '/api/sessions/active/{userId}': SessionAnswer;
  '/api/sessions/active': {
    readonly items: readonly SessionAnswer[];
    /** what to send as `cursor` for the next page; null on the last */
    readonly nextCursor: string | null;
  };
  '/api/sessions/history/{userId}': {
    readonly items: readonly Session[];
    /** what to send as `cursor` for the next page; null on the last */
    readonly nextCursor: string | null;
  };
  '/api/users/{userId}': {
    readonly userId: string;
    readonly sessions: number;
    readonly events: number;
    readonly durationSeconds: number;
    /** sessions with a purchase */
    readonly conversions: number;
    /** by currency */
    readonly revenue: Readonly<Record<string, number>>;
    readonly firstStart: string | null;
    readonly lastEnd: string | null;
  };
  '/api/sessions/converted': {
    readonly items: readonly Session[];
    /** what to send as `cursor` for the next page; null on the last */
    readonly nextCursor: string | null;
  };
  '/api/sessions/{sessionId}/absorbed': {
    readonly items: readonly string[];
  };
  '/api/analytics/stats': {
    readonly totalSessions: number;
    /** seconds */
    readonly averageDuration: number;
    readonly averageEventCount: number;
    readonly conversionCount: number;
    /** 0 to 1 */
    readonly conversionRate: number;
  };
  '/api/analytics/timeseries': {
    readonly metric: string;
    readonly interval: string;
    readonly points: readonly {
      readonly start: string;
      /** by name; null where no session ended */
      readonly values: Readonly<Record<string, number | null>>;
    }[];
  };
  '/api/analytics/breakdown': {
    readonly by: string;
    /** what is counted: sessions or events */
    readonly unit: string;
    /** of all values, those left out too */
    readonly total: number;
    readonly items: readonly {
      /** its first 500 characters; null: those that have none */
      readonly value: string | null;
      readonly count: number;
      /** of these, in sessions that converted */
      readonly converted: number;
    }[];
  };
  '/api/sessions/{sessionId}': SessionAnswer;
  '/state/{userId}': {
    readonly partition: number;
    /** state, or standby: a copy that follows it */
    readonly source: string;
    /** how fresh the answer is */
    readonly asOf: string;
    readonly items: readonly Session[];
  };
  '/health': {
    /** ok or degraded */
    readonly status: string;
    readonly parts: readonly {
      readonly name: string;
      readonly status: string;
      readonly reason: string | null;
    }[];
  };
  '/ready': {
    readonly ready: boolean;
  };
  '/api/rate': {
    readonly eventsPerSecond: number;
  };
  '/api/system': {
    readonly ready: boolean;
    /** by the clock of the system */
    readonly now: string;
    /** users with a live session; null while the live cache is away */
    readonly activeSessions: number | null;
    /** events further apart are of two sessions */
    readonly gapSeconds: number;
    /** how long after the gap it is sent */
    readonly tierSeconds: readonly number[];
    readonly partitions: readonly {
      readonly partition: number;
      /** events that the log has given it */
      readonly endOffset: number;
      /** restoring, running or stopped; null where its processor is not asked */
      readonly state: string | null;
      /** why it stopped */
      readonly reason: string | null;
      /** the highest event time accepted; null before the first event */
      readonly clock: string | null;
      /** the same, run on with time while nothing comes */
      readonly sendingClock: string | null;
      /** events not yet processed; null where that is not known */
      readonly lag: number | null;
      /** users that its processor has at hand */
      readonly usersInMemory: number | null;
    }[];
    /** what became of sessions since the start; empty where no processor is asked */
    readonly sessions: Readonly<Record<string, number>>;
  };
}
