/** The peer of the sessionize bench: gaps and islands over a CSV in DuckDB, in its own process. */
import { DuckDBInstance } from '@duckdb/node-api';

/** Sessions of `input` into `output` (CSV): user, first and last time, count of events. */
const query = (input: string, output: string) => `
  COPY (
    WITH marked AS (
      SELECT user_id, timestamp,
        timestamp - lag(timestamp) OVER user_events > INTERVAL 30 MINUTE AS after_gap
      FROM read_csv('${input}')
      WINDOW user_events AS (PARTITION BY user_id ORDER BY timestamp)
    ), numbered AS (
      SELECT user_id, timestamp,
        count(*) FILTER (after_gap) OVER (PARTITION BY user_id ORDER BY timestamp) AS session
      FROM marked
    )
    SELECT user_id, min(timestamp) AS start_time, max(timestamp) AS end_time, count(*) AS events
    FROM numbered GROUP BY user_id, session
  ) TO '${output}' (FORMAT csv)`;

const [input, output, threads] = process.argv.slice(2);
if (input === undefined || output === undefined)
  throw new Error('duckdb.ts INPUT OUTPUT [THREADS]');
const instance = await DuckDBInstance.create(':memory:', { threads: threads ?? '2' });
const connection = await instance.connect();
await connection.run(query(input, output));
