-- $1: a session id. Where it leads, to the end of the chain; no row when it was not absorbed.
WITH RECURSIVE chain AS (
  SELECT merged_into, 1 AS step FROM session_lineage
  WHERE session_id = $1 AND merged_into IS NOT NULL
  UNION ALL
  SELECT next.merged_into, step + 1 FROM chain
  JOIN session_lineage AS next ON next.session_id = chain.merged_into
  WHERE next.merged_into IS NOT NULL AND step < 10000
)
SELECT merged_into AS "survivorId" FROM chain ORDER BY step DESC LIMIT 1
