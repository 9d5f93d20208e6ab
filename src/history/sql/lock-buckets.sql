-- Nobody changes the rollup until the transaction ends.
LOCK TABLE session_buckets, session_revenue, session_facets IN SHARE ROW EXCLUSIVE MODE
