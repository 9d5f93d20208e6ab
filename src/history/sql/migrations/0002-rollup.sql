-- Sums over 5-minute buckets of end time, by writer: stats read them instead of the rows. Statement
-- triggers keep them in the transaction that changes the rows, whoever it is (not for TRUNCATE).
CREATE TABLE session_buckets (
  bucket timestamptz NOT NULL,
  -- One of 8, by writer: two writers don't wait for each other's buckets. Only sums over the
  -- shards mean something; a shard alone may be negative.
  shard smallint NOT NULL,
  sessions bigint NOT NULL,
  duration_ms bigint NOT NULL,
  events bigint NOT NULL,
  conversions bigint NOT NULL,
  PRIMARY KEY (bucket, shard)
) WITH (fillfactor = 50);

CREATE FUNCTION session_bucket(end_time timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('5 minutes', end_time, '1970-01-01 00:00:00+00');

CREATE FUNCTION session_buckets_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO session_buckets AS b (bucket, shard, sessions, duration_ms, events, conversions)
  SELECT session_bucket(end_time), pg_backend_pid() % 8, count(*),
    sum(round(duration_seconds * 1000)::bigint), sum(event_count), sum(has_conversion::int)
  FROM added GROUP BY 1 ORDER BY 1
  ON CONFLICT (bucket, shard) DO UPDATE SET
    sessions = b.sessions + excluded.sessions, duration_ms = b.duration_ms + excluded.duration_ms,
    events = b.events + excluded.events, conversions = b.conversions + excluded.conversions;
  RETURN NULL;
END $$;

CREATE FUNCTION session_buckets_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO session_buckets AS b (bucket, shard, sessions, duration_ms, events, conversions)
  SELECT session_bucket(end_time), pg_backend_pid() % 8, -count(*),
    -sum(round(duration_seconds * 1000)::bigint), -sum(event_count), -sum(has_conversion::int)
  FROM removed GROUP BY 1 ORDER BY 1
  ON CONFLICT (bucket, shard) DO UPDATE SET
    sessions = b.sessions + excluded.sessions, duration_ms = b.duration_ms + excluded.duration_ms,
    events = b.events + excluded.events, conversions = b.conversions + excluded.conversions;
  RETURN NULL;
END $$;

CREATE FUNCTION session_buckets_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO session_buckets AS b (bucket, shard, sessions, duration_ms, events, conversions)
  SELECT session_bucket(end_time), pg_backend_pid() % 8, sum(sign),
    sum(sign * round(duration_seconds * 1000)::bigint), sum(sign * event_count),
    sum(sign * has_conversion::int)
  FROM (
    SELECT 1 AS sign, end_time, duration_seconds, event_count, has_conversion FROM added
    UNION ALL
    SELECT -1, end_time, duration_seconds, event_count, has_conversion FROM removed
  ) AS changes
  GROUP BY 1 ORDER BY 1
  ON CONFLICT (bucket, shard) DO UPDATE SET
    sessions = b.sessions + excluded.sessions, duration_ms = b.duration_ms + excluded.duration_ms,
    events = b.events + excluded.events, conversions = b.conversions + excluded.conversions;
  RETURN NULL;
END $$;

CREATE TRIGGER user_sessions_added AFTER INSERT ON user_sessions
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION session_buckets_added();

CREATE TRIGGER user_sessions_removed AFTER DELETE ON user_sessions
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION session_buckets_removed();

CREATE TRIGGER user_sessions_changed AFTER UPDATE ON user_sessions
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION session_buckets_changed();
