-- Closed sessions, one row each: anyone's count(*) is right. Names are those of a session record.
-- What queries aggregate or filter by is typed; maps are JSONB.
CREATE TABLE user_sessions (
  session_id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  state text NOT NULL,
  revision integer NOT NULL,
  tier text,
  close_reason text,
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL,
  duration_seconds double precision NOT NULL,
  event_count bigint NOT NULL,
  page_views bigint NOT NULL,
  distinct_pages bigint NOT NULL,
  searches bigint NOT NULL,
  add_to_carts bigint NOT NULL,
  purchases bigint NOT NULL,
  late_count bigint NOT NULL,
  duplicate_count bigint NOT NULL,
  end_overtaken_count bigint NOT NULL,
  distinct_pages_truncated boolean NOT NULL,
  has_conversion boolean NOT NULL,
  bounced boolean NOT NULL,
  engaged boolean NOT NULL,
  trail_truncated boolean NOT NULL,
  first_conversion_time timestamptz,
  first_arrival timestamptz,
  last_arrival timestamptz,
  entry_page text,
  exit_page text,
  referrer text,
  channel text NOT NULL,
  device text,
  previous_session_id text,
  event_counts jsonb NOT NULL,
  first_event_times jsonb NOT NULL,
  revenue jsonb NOT NULL,
  cart_value jsonb NOT NULL,
  utm jsonb NOT NULL,
  trail jsonb NOT NULL
);

-- Cursors go on (start_time, session_id): the id only breaks ties, so it isn't in the index.
CREATE INDEX user_sessions_by_user ON user_sessions (user_id, start_time);
CREATE INDEX user_sessions_by_end ON user_sessions (end_time);
CREATE INDEX user_sessions_converted ON user_sessions (end_time) WHERE has_conversion;

-- Ids that have no row: absorbed by another session, or open again. An id stands here or in
-- user_sessions, never in both, with the highest revision seen. end_time only says when it may go.
CREATE TABLE session_lineage (
  session_id text COLLATE "C" PRIMARY KEY,
  revision integer NOT NULL,
  merged_into text COLLATE "C",
  end_time timestamptz NOT NULL
);

CREATE INDEX session_lineage_by_end ON session_lineage (end_time);

CREATE TABLE history_positions (
  log_id text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (log_id, partition)
);
