-- How far each partition of each log has been brought into history.
SELECT log_id AS "logId", partition, next_offset::double precision AS "nextOffset"
FROM history_positions ORDER BY log_id, partition
