-- $1: a user. Sums over its closed sessions, and its revenue by currency.
SELECT
  count(*)::double precision AS sessions,
  coalesce(sum(event_count), 0)::double precision AS events,
  coalesce(sum(round(duration_seconds * 1000)), 0)::double precision AS "durationMs",
  (count(*) FILTER (WHERE has_conversion))::double precision AS conversions,
  min(start_time) AS "firstStart",
  max(end_time) AS "lastEnd",
  coalesce((
    SELECT jsonb_object_agg(currency, revenue) FROM (
      SELECT currency, (sum(micros) / 1000000)::double precision AS revenue
      FROM user_sessions, session_micros(revenue) WHERE user_id = $1
      GROUP BY currency HAVING sum(micros) <> 0
    ) AS sums
  ), '{}') AS revenue
FROM user_sessions WHERE user_id = $1
