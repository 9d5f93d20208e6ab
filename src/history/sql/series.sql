-- Sums over intervals of $1 seconds, counted from $2, over the buckets of [$3, $4): one row for each
-- interval that has any.
SELECT
  date_bin(make_interval(secs => $1), bucket, $2::timestamptz) AS start,
  sum(sessions)::double precision AS sessions,
  sum(duration_ms)::double precision AS "durationMs",
  sum(events)::double precision AS events,
  sum(conversions)::double precision AS conversions
FROM session_buckets WHERE bucket >= $3 AND bucket < $4
GROUP BY 1
