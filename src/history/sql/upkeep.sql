-- What a server's checkpointer and autovacuum would do by now, as statements. Vacuum comes often
-- and for what was only inserted too: its first look at a page is the dear one, and nothing else
-- is done meanwhile.
SELECT 'CHECKPOINT' AS statement FROM pg_control_checkpoint()
WHERE pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn) > 48 * 1024 * 1024
UNION ALL
SELECT format('VACUUM (ANALYZE) %I', relname) FROM pg_stat_user_tables
WHERE n_dead_tup > 1000 + 0.1 * n_live_tup OR n_ins_since_vacuum > 20000
