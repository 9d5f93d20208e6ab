-- Buckets wholly before $1 whose sums are zero. The tables must be locked: a writer could otherwise
-- add to one shard of a bucket while the others are found to sum to nothing.
WITH empty AS (
  DELETE FROM session_buckets WHERE bucket IN (
    SELECT bucket FROM session_buckets WHERE bucket < session_bucket($1) GROUP BY bucket
    HAVING sum(sessions) = 0 AND sum(duration_ms) = 0 AND sum(events) = 0 AND sum(conversions) = 0
  )
),
empty_facets AS (
  DELETE FROM session_facets AS f USING (
    SELECT facet, hour, value FROM session_facets WHERE hour < session_hour($1)
    GROUP BY facet, hour, value HAVING sum(count) = 0 AND sum(converted) = 0
  ) AS sums
  WHERE f.facet = sums.facet AND f.hour = sums.hour AND f.value IS NOT DISTINCT FROM sums.value
)
DELETE FROM session_revenue WHERE (bucket, currency) IN (
  SELECT bucket, currency FROM session_revenue WHERE bucket < session_bucket($1)
  GROUP BY bucket, currency HAVING sum(micros) = 0
)
