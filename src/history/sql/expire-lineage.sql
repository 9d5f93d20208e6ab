-- The lineage of sessions that ended before $1, oldest first, at most $2.
DELETE FROM session_lineage USING (
  SELECT session_id FROM session_lineage WHERE end_time < $1 ORDER BY end_time LIMIT $2
) AS old
WHERE session_lineage.session_id = old.session_id
