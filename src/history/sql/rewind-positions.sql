-- $1: positions as JSON, stored whatever they were.
INSERT INTO history_positions (log_id, partition, next_offset)
SELECT "logId", partition, "nextOffset"
FROM jsonb_to_recordset($1::jsonb) AS read("logId" text, partition integer, "nextOffset" bigint)
ORDER BY 1, 2
ON CONFLICT (log_id, partition) DO UPDATE SET next_offset = excluded.next_offset
