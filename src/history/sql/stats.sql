-- Sums over the whole buckets of [$1, $2) and the rows of [$3, $4) and [$5, $6), the edges.
SELECT
  coalesce(sum(sessions), 0)::double precision AS sessions,
  coalesce(sum(duration_ms), 0)::double precision AS "durationMs",
  coalesce(sum(events), 0)::double precision AS events,
  coalesce(sum(conversions), 0)::double precision AS conversions
FROM (
  SELECT sum(sessions), sum(duration_ms), sum(events), sum(conversions)
  FROM session_buckets WHERE bucket >= $1 AND bucket < $2
  UNION ALL
  SELECT count(*), sum(round(duration_seconds * 1000)::bigint), sum(event_count),
    count(*) FILTER (WHERE has_conversion)
  FROM user_sessions WHERE end_time >= $3 AND end_time < $4
  UNION ALL
  SELECT count(*), sum(round(duration_seconds * 1000)::bigint), sum(event_count),
    count(*) FILTER (WHERE has_conversion)
  FROM user_sessions WHERE end_time >= $5 AND end_time < $6
) AS parts(sessions, duration_ms, events, conversions)
