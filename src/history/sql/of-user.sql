-- $1 user; $2, $3 start time and id of the last session seen ('infinity' and '': from the latest);
-- $4 limit.
SELECT * FROM user_sessions
WHERE user_id = $1 AND (start_time, session_id) < ($2::timestamptz, $3)
ORDER BY start_time DESC, session_id DESC LIMIT $4
