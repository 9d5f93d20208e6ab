-- $1: closed sessions as JSON, one an id. The highest revision of an id wins, whichever table it
-- stands in; equal or lower changes nothing.
INSERT INTO user_sessions AS kept (
  session_id, user_id, state, revision, tier, close_reason, start_time, end_time,
  duration_seconds, event_count, page_views, distinct_pages, searches, add_to_carts, purchases,
  late_count, duplicate_count, end_overtaken_count, distinct_pages_truncated, has_conversion,
  bounced, engaged, trail_truncated, first_conversion_time, first_arrival, last_arrival,
  entry_page, exit_page, referrer, channel, device, previous_session_id,
  event_counts, first_event_times, revenue, cart_value, utm, trail
)
SELECT
  "sessionId", "userId", state, revision, tier, "closeReason", "startTime", "endTime",
  "durationSeconds", "eventCount", "pageViews", "distinctPages", searches, "addToCarts", purchases,
  "lateCount", "duplicateCount", "endOvertakenCount", "distinctPagesTruncated", "hasConversion",
  bounced, engaged, "trailTruncated", "firstConversionTime", "firstArrival", "lastArrival",
  "entryPage", "exitPage", referrer, channel, device, "previousSessionId",
  "eventCounts", "firstEventTimes", revenue, "cartValue", utm, trail
FROM jsonb_to_recordset($1::jsonb) AS sent(
  "sessionId" text, "userId" text, state text, revision integer, tier text, "closeReason" text,
  "startTime" timestamptz, "endTime" timestamptz, "durationSeconds" double precision,
  "eventCount" bigint, "pageViews" bigint, "distinctPages" bigint, searches bigint,
  "addToCarts" bigint, purchases bigint, "lateCount" bigint, "duplicateCount" bigint,
  "endOvertakenCount" bigint, "distinctPagesTruncated" boolean, "hasConversion" boolean,
  bounced boolean, engaged boolean, "trailTruncated" boolean, "firstConversionTime" timestamptz,
  "firstArrival" timestamptz, "lastArrival" timestamptz, "entryPage" text, "exitPage" text,
  referrer text, channel text, device text, "previousSessionId" text, "eventCounts" jsonb,
  "firstEventTimes" jsonb, revenue jsonb, "cartValue" jsonb, utm jsonb, trail jsonb
)
WHERE NOT EXISTS (
  SELECT FROM session_lineage AS gone
  WHERE gone.session_id = sent."sessionId" AND gone.revision >= sent.revision
)
ON CONFLICT (session_id) DO UPDATE SET
  user_id = excluded.user_id,
  state = excluded.state,
  revision = excluded.revision,
  tier = excluded.tier,
  close_reason = excluded.close_reason,
  start_time = excluded.start_time,
  end_time = excluded.end_time,
  duration_seconds = excluded.duration_seconds,
  event_count = excluded.event_count,
  page_views = excluded.page_views,
  distinct_pages = excluded.distinct_pages,
  searches = excluded.searches,
  add_to_carts = excluded.add_to_carts,
  purchases = excluded.purchases,
  late_count = excluded.late_count,
  duplicate_count = excluded.duplicate_count,
  end_overtaken_count = excluded.end_overtaken_count,
  distinct_pages_truncated = excluded.distinct_pages_truncated,
  has_conversion = excluded.has_conversion,
  bounced = excluded.bounced,
  engaged = excluded.engaged,
  trail_truncated = excluded.trail_truncated,
  first_conversion_time = excluded.first_conversion_time,
  first_arrival = excluded.first_arrival,
  last_arrival = excluded.last_arrival,
  entry_page = excluded.entry_page,
  exit_page = excluded.exit_page,
  referrer = excluded.referrer,
  channel = excluded.channel,
  device = excluded.device,
  previous_session_id = excluded.previous_session_id,
  event_counts = excluded.event_counts,
  first_event_times = excluded.first_event_times,
  revenue = excluded.revenue,
  cart_value = excluded.cart_value,
  utm = excluded.utm,
  trail = excluded.trail
WHERE kept.revision < excluded.revision
