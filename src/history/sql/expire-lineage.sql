-- The lineage of sessions that ended before $1, oldest first, at most $2; not what a writer is
-- changing just now.
WITH old AS (
  SELECT session_id FROM session_lineage WHERE end_time < $1
  ORDER BY end_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM session_lineage USING old WHERE session_lineage.session_id = old.session_id
