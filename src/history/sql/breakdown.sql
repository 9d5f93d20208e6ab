-- The $8 commonest values of facet $1, over the whole hours of [$2, $3) and the rows of [$4, $5) and
-- [$6, $7), the edges; each row also says how many there are of all values.
WITH parts AS (
  SELECT value, count, converted FROM session_facets
  WHERE facet = $1 AND hour >= $2 AND hour < $3
  UNION ALL
  SELECT value, count, has_conversion::int * count FROM user_sessions, session_facets_of(
    entry_page, exit_page, device, channel, duration_seconds, event_counts)
  WHERE facet = $1 AND end_time >= $4 AND end_time < $5
  UNION ALL
  SELECT value, count, has_conversion::int * count FROM user_sessions, session_facets_of(
    entry_page, exit_page, device, channel, duration_seconds, event_counts)
  WHERE facet = $1 AND end_time >= $6 AND end_time < $7
),
sums AS (
  SELECT value, sum(count) AS count, sum(converted) AS converted
  FROM parts GROUP BY value HAVING sum(count) <> 0
)
SELECT value, count::double precision, converted::double precision,
  sum(count) OVER ()::double precision AS total
FROM sums ORDER BY count DESC, value LIMIT $8
