-- Which numbered migrations have been applied.
CREATE TABLE history_migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
