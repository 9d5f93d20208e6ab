-- $1: ids and revisions of closed sessions as JSON. An id that has a row again has no lineage any more.
DELETE FROM session_lineage AS gone
USING jsonb_to_recordset($1::jsonb) AS sent("sessionId" text, revision integer)
WHERE gone.session_id = sent."sessionId" AND gone.revision < sent.revision
