-- Lets the database say which statements take its time: SELECT * FROM pg_stat_statements.
CREATE EXTENSION pg_stat_statements;
