-- $1: absorbed and re-opened sessions as JSON: their rows go.
DELETE FROM user_sessions AS kept
USING jsonb_to_recordset($1::jsonb) AS sent("sessionId" text, revision integer)
WHERE kept.session_id = sent."sessionId" AND kept.revision < sent.revision
