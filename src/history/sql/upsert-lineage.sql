-- $1: absorbed and re-opened sessions as JSON, one an id. The end time of an absorbed one is that
-- of the row it had, if any; it only decides when its lineage expires.
INSERT INTO session_lineage AS kept (session_id, revision, merged_into, end_time)
SELECT sent."sessionId", sent.revision, sent."mergedInto",
  coalesce(sent."endTime", had.end_time, known.end_time, now())
FROM jsonb_to_recordset($1::jsonb)
  AS sent("sessionId" text, revision integer, "mergedInto" text, "endTime" timestamptz)
LEFT JOIN user_sessions AS had ON had.session_id = sent."sessionId"
LEFT JOIN session_lineage AS known ON known.session_id = sent."sessionId"
WHERE had.revision IS NULL OR had.revision < sent.revision
ON CONFLICT (session_id) DO UPDATE SET
  revision = excluded.revision, merged_into = excluded.merged_into, end_time = excluded.end_time
WHERE kept.revision < excluded.revision
