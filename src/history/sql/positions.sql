SELECT log_id AS "logId", partition, next_offset::double precision AS "nextOffset"
FROM history_positions ORDER BY log_id, partition
