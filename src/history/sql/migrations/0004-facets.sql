-- Sessions by what they are like, over hours of end time and the same shards: pages, device, channel,
-- types of events, and durations in steps. Kept as the other sums are; times of day never need more.
CREATE TABLE session_facets (
  hour timestamptz NOT NULL,
  shard smallint NOT NULL,
  facet text COLLATE "C" NOT NULL,
  -- null: the session has none. Cut, because an index takes no more.
  value text COLLATE "C",
  -- Sessions; of event types, events.
  count bigint NOT NULL,
  -- The same, of sessions with a conversion.
  converted bigint NOT NULL,
  UNIQUE NULLS NOT DISTINCT (facet, hour, value, shard)
) WITH (fillfactor = 50);

CREATE FUNCTION session_hour(end_time timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('1 hour', end_time, '1970-01-01 00:00:00+00');

-- Steps of 4 %, so that a percentile is right within 2 %; 0 is no time at all.
CREATE FUNCTION session_duration_step(duration_seconds double precision) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN duration_seconds < 0.001 THEN 0
  ELSE 1 + ceil(ln(duration_seconds * 1000) / ln(1.04::double precision))::integer END;

CREATE FUNCTION session_facets_of(
  entry_page text, exit_page text, device text, channel text,
  duration_seconds double precision, event_counts jsonb
) RETURNS TABLE (facet text, value text, count bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  VALUES ('entryPage', left(entry_page, 500), 1::bigint), ('exitPage', left(exit_page, 500), 1),
    ('device', left(device, 500), 1), ('channel', left(channel, 500), 1),
    ('duration', session_duration_step(duration_seconds)::text, 1)
  UNION ALL
  SELECT 'eventType', left(key, 500), (value #>> '{}')::bigint
  FROM jsonb_each(event_counts) WHERE jsonb_typeof(value) = 'number';
END;

CREATE FUNCTION session_facets_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO session_facets AS f (hour, shard, facet, value, count, converted)
    SELECT session_hour(end_time), pg_backend_pid() % 8, facet, value, sum(count),
      sum(has_conversion::int * count)
    FROM added, session_facets_of(entry_page, exit_page, device, channel, duration_seconds,
      event_counts)
    GROUP BY 1, 3, 4 ORDER BY 3, 1, 4
    ON CONFLICT (facet, hour, value, shard) DO UPDATE SET
      count = f.count + excluded.count, converted = f.converted + excluded.converted;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO session_facets AS f (hour, shard, facet, value, count, converted)
    SELECT session_hour(end_time), pg_backend_pid() % 8, facet, value, -sum(count),
      -sum(has_conversion::int * count)
    FROM removed, session_facets_of(entry_page, exit_page, device, channel, duration_seconds,
      event_counts)
    GROUP BY 1, 3, 4 ORDER BY 3, 1, 4
    ON CONFLICT (facet, hour, value, shard) DO UPDATE SET
      count = f.count + excluded.count, converted = f.converted + excluded.converted;
  ELSE
    INSERT INTO session_facets AS f (hour, shard, facet, value, count, converted)
    SELECT session_hour(end_time), pg_backend_pid() % 8, facet, value, sum(sign * count),
      sum(sign * has_conversion::int * count)
    FROM (
      SELECT 1 AS sign, end_time, entry_page, exit_page, device, channel, duration_seconds,
        event_counts, has_conversion FROM added
      UNION ALL
      SELECT -1, end_time, entry_page, exit_page, device, channel, duration_seconds,
        event_counts, has_conversion FROM removed
    ) AS changes, session_facets_of(entry_page, exit_page, device, channel, duration_seconds,
      event_counts)
    GROUP BY 1, 3, 4
    HAVING sum(sign * count) <> 0 OR sum(sign * has_conversion::int * count) <> 0
    ORDER BY 3, 1, 4
    ON CONFLICT (facet, hour, value, shard) DO UPDATE SET
      count = f.count + excluded.count, converted = f.converted + excluded.converted;
  END IF;
  RETURN NULL;
END $$;

-- These keep writers out until the rows that are there have been counted.
CREATE TRIGGER user_sessions_facets_added AFTER INSERT ON user_sessions
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION session_facets_changed();

CREATE TRIGGER user_sessions_facets_removed AFTER DELETE ON user_sessions
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION session_facets_changed();

CREATE TRIGGER user_sessions_facets_changed AFTER UPDATE ON user_sessions
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION session_facets_changed();

INSERT INTO session_facets (hour, shard, facet, value, count, converted)
SELECT session_hour(end_time), 0, facet, value, sum(count), sum(has_conversion::int * count)
FROM user_sessions, session_facets_of(entry_page, exit_page, device, channel, duration_seconds,
  event_counts)
GROUP BY 1, 3, 4;

-- What a session has absorbed is looked for from its side too.
CREATE INDEX session_lineage_by_survivor ON session_lineage (merged_into)
WHERE merged_into IS NOT NULL;
