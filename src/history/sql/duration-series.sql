-- Steps of duration below which 50, 95 and 99 % of sessions are (nearest rank), over intervals of
-- $1 seconds, counted from $2: from the hours of [$3, $4), or where $5, from the rows.
WITH steps AS (
  SELECT hour AS at, value::integer AS step, count FROM session_facets
  WHERE NOT $5 AND facet = 'duration' AND hour >= $3 AND hour < $4
  UNION ALL
  SELECT end_time, session_duration_step(duration_seconds), 1 FROM user_sessions
  WHERE $5 AND end_time >= $3 AND end_time < $4
),
counted AS (
  SELECT date_bin(make_interval(secs => $1), at, $2::timestamptz) AS start, step,
    sum(count) AS count
  FROM steps GROUP BY 1, 2 HAVING sum(count) > 0
),
ranked AS (
  SELECT start, step,
    sum(count) OVER (PARTITION BY start ORDER BY step) AS rank,
    sum(count) OVER (PARTITION BY start) AS total
  FROM counted
)
SELECT start,
  min(step) FILTER (WHERE rank >= 0.50 * total) AS p50,
  min(step) FILTER (WHERE rank >= 0.95 * total) AS p95,
  min(step) FILTER (WHERE rank >= 0.99 * total) AS p99
FROM ranked GROUP BY start
