-- Buckets whose sums over the shards are not those of the rows; revenue and facets likewise.
SELECT sum(wrong)::integer AS wrong FROM (
  SELECT count(*) AS wrong
  FROM (
    SELECT bucket, sum(sessions) AS sessions, sum(duration_ms) AS duration_ms,
      sum(events) AS events, sum(conversions) AS conversions
    FROM session_buckets GROUP BY bucket
  ) AS kept
  FULL JOIN (
    SELECT session_bucket(end_time) AS bucket, count(*) AS sessions,
      sum(round(duration_seconds * 1000)::bigint) AS duration_ms, sum(event_count) AS events,
      count(*) FILTER (WHERE has_conversion) AS conversions
    FROM user_sessions GROUP BY 1
  ) AS counted USING (bucket)
  WHERE (coalesce(kept.sessions, 0), coalesce(kept.duration_ms, 0), coalesce(kept.events, 0),
      coalesce(kept.conversions, 0))
    IS DISTINCT FROM (coalesce(counted.sessions, 0), coalesce(counted.duration_ms, 0),
      coalesce(counted.events, 0), coalesce(counted.conversions, 0))
  UNION ALL
  SELECT count(*)
  FROM (
    SELECT bucket, currency, sum(micros) AS micros FROM session_revenue GROUP BY bucket, currency
  ) AS kept
  FULL JOIN (
    SELECT session_bucket(end_time) AS bucket, currency, sum(micros) AS micros
    FROM user_sessions, session_micros(revenue) GROUP BY 1, 2
  ) AS counted USING (bucket, currency)
  WHERE coalesce(kept.micros, 0) <> coalesce(counted.micros, 0)
  UNION ALL
  SELECT count(*) FROM (
    SELECT 1 FROM (
      SELECT facet, hour, value, count, converted FROM session_facets
      UNION ALL
      SELECT facet, session_hour(end_time), value, -count, -(has_conversion::int * count)
      FROM user_sessions, session_facets_of(entry_page, exit_page, device, channel,
        duration_seconds, event_counts)
    ) AS signed
    GROUP BY facet, hour, value HAVING sum(count) <> 0 OR sum(converted) <> 0
  ) AS unequal
) AS found
