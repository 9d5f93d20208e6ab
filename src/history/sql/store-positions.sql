-- $1: positions as JSON; none goes back. The first statement of a batch: two writers of one partition
-- queue here, since the row is locked even where it stays as it is.
INSERT INTO history_positions AS kept (log_id, partition, next_offset)
SELECT "logId", partition, "nextOffset"
FROM jsonb_to_recordset($1::jsonb) AS read("logId" text, partition integer, "nextOffset" bigint)
ORDER BY 1, 2
ON CONFLICT (log_id, partition) DO UPDATE SET next_offset = excluded.next_offset
WHERE kept.next_offset < excluded.next_offset
