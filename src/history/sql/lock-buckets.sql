-- Nobody changes the rollup until the transaction ends.
LOCK TABLE session_buckets, session_revenue IN SHARE ROW EXCLUSIVE MODE
