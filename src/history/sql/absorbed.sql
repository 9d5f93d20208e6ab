-- $1: a session id. Ids that lead to it, directly or through others; at most $2.
WITH RECURSIVE absorbed AS (
  SELECT session_id, 1 AS step FROM session_lineage WHERE merged_into = $1
  UNION ALL
  SELECT before.session_id, step + 1 FROM absorbed
  JOIN session_lineage AS before ON before.merged_into = absorbed.session_id
  WHERE step < 10000
)
SELECT session_id AS "sessionId" FROM absorbed ORDER BY step, session_id LIMIT $2
