-- $1, $2 end time and id of the last session seen ('infinity' and '': from the latest); $3 limit.
SELECT * FROM user_sessions
WHERE has_conversion AND (end_time, session_id) < ($1::timestamptz, $2)
ORDER BY end_time DESC, session_id DESC LIMIT $3
