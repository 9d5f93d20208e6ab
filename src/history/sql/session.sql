-- $1: a session id.
SELECT * FROM user_sessions WHERE session_id = $1
