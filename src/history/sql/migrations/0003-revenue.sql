-- Revenue by currency over the same buckets and shards. In millionths of the currency, as the core
-- counts: whole numbers for every currency's minor units, and beyond what a bigint holds.
CREATE TABLE session_revenue (
  bucket timestamptz NOT NULL,
  shard smallint NOT NULL,
  currency text COLLATE "C" NOT NULL,
  micros numeric NOT NULL,
  PRIMARY KEY (bucket, shard, currency)
) WITH (fillfactor = 50);

-- What a session's revenue adds, by currency; what is no amount adds nothing.
CREATE FUNCTION session_micros(revenue jsonb) RETURNS TABLE (currency text, micros numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT key, round((value #>> '{}')::numeric * 1000000)
  FROM jsonb_each(revenue) WHERE jsonb_typeof(value) = 'number';
END;

CREATE FUNCTION session_revenue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO session_revenue AS r (bucket, shard, currency, micros)
    SELECT session_bucket(end_time), pg_backend_pid() % 8, currency, sum(micros)
    FROM added, session_micros(revenue) WHERE revenue <> '{}'
    GROUP BY 1, 3 ORDER BY 1, 3
    ON CONFLICT (bucket, shard, currency) DO UPDATE SET micros = r.micros + excluded.micros;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO session_revenue AS r (bucket, shard, currency, micros)
    SELECT session_bucket(end_time), pg_backend_pid() % 8, currency, -sum(micros)
    FROM removed, session_micros(revenue) WHERE revenue <> '{}'
    GROUP BY 1, 3 ORDER BY 1, 3
    ON CONFLICT (bucket, shard, currency) DO UPDATE SET micros = r.micros + excluded.micros;
  END IF;
  RETURN NULL;
END $$;

-- These keep writers out until the rows that are there have been counted.
CREATE TRIGGER user_sessions_revenue_added AFTER INSERT ON user_sessions
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION session_revenue_changed();

CREATE TRIGGER user_sessions_revenue_removed AFTER DELETE ON user_sessions
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION session_revenue_changed();

CREATE TRIGGER user_sessions_revenue_changed AFTER UPDATE ON user_sessions
REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION session_revenue_changed();

INSERT INTO session_revenue (bucket, shard, currency, micros)
SELECT session_bucket(end_time), 0, currency, sum(micros)
FROM user_sessions, session_micros(revenue) WHERE revenue <> '{}'
GROUP BY 1, 3;
