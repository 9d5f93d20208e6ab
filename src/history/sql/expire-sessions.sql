-- The oldest sessions that ended before $1, at most $2 of them; not those that a writer is changing
-- just now: waiting for it could be in a circle.
WITH old AS (
  SELECT session_id FROM user_sessions WHERE end_time < $1
  ORDER BY end_time LIMIT $2 FOR UPDATE SKIP LOCKED
), deleted AS (
  DELETE FROM user_sessions USING old WHERE user_sessions.session_id = old.session_id
  RETURNING 1
)
SELECT count(*)::integer AS deleted FROM deleted
