/** What both modes kept at the end, read from where it lies, in forms that can be compared. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openEmbeddedSql } from '../../src/history/pglite.ts';
import type { TopicReader } from '../../src/log/log.ts';
import { openRocksStore } from '../../src/state/rocksdb-store.ts';

const run = promisify(execFile);

export interface Row {
  readonly sessionId: string;
  /** What the session finally is, as JSON by PostgreSQL itself, the same from both. */
  readonly session: string;
  /** What tells how often and when it was sent: that depends on what came into one commit. */
  readonly sent: { readonly revision: number; readonly state: string; readonly duplicates: number };
}

/** So that neither side has to hold all rows as one text. */
export const SLICES = 16;

/**
 * All columns but ids and times of arrival, which are each log's own, and those in `sent`. The
 * session before is named by its start: an id of it may be one that it no longer has.
 */
function rowsOfSlice(slice: number): string {
  return `
    SELECT jsonb_build_object(
      'sessionId', session_id,
      'sent', jsonb_build_object(
        'revision', revision, 'state', state, 'tier', tier, 'duplicates', duplicate_count),
      'session', (to_jsonb(s) - '{session_id,previous_session_id,first_arrival,last_arrival,
        revision,state,tier,duplicate_count}'::text[] || jsonb_build_object('previous_start', (
          WITH RECURSIVE chain AS (
            SELECT s.previous_session_id COLLATE "C" AS id
            UNION ALL
            SELECT merged_into FROM chain JOIN session_lineage ON session_id = id
            WHERE merged_into IS NOT NULL
          )
          SELECT start_time FROM chain JOIN user_sessions ON session_id = id)))::text
    ) AS row
    FROM user_sessions s
    WHERE left(md5(user_id), 1) = '${slice.toString(16)}'
    ORDER BY user_id, start_time, end_time, event_count`;
}

/** By psql. */
export async function readWithPsql(url: string, slice: number): Promise<Row[]> {
  const query = `SET timezone = 'UTC'; ${rowsOfSlice(slice)}`;
  const { stdout } = await run('psql', [url, '-qXAt', '-v', 'ON_ERROR_STOP=1', '-c', query], {
    maxBuffer: 1 << 29,
  });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Of a stopped system's folder; `visit` gets every slice. */
export async function readEmbedded(
  dataDir: string,
  visit: (slice: number, rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  const sql = await openEmbeddedSql(join(dataDir, 'history'));
  try {
    await sql.query("SET timezone = 'UTC'", []);
    for (let slice = 0; slice < SLICES; slice++) {
      const rows = await sql.query(rowsOfSlice(slice), []);
      await visit(
        slice,
        rows.map(({ row }) => row as Row),
      );
    }
  } finally {
    await sql.close();
  }
}

/** What a stopped system refused, by partition: offset and reason of each event. */
export async function readEmbeddedRefusals(
  dataDir: string,
  partitionCount: number,
): Promise<string[][]> {
  const outputTopics = ['sessions', 'late-events', 'rejected-events'];
  const store = await openRocksStore({
    directory: join(dataDir, 'state'),
    ...{ partitionCount, outputTopics },
  });
  try {
    const topic = store.topic('late-events');
    return await Promise.all(
      Array.from({ length: partitionCount }, (_, partition) => readPartition(topic, partition)),
    );
  } finally {
    await store.close();
  }
}

async function readPartition(topic: TopicReader, partition: number): Promise<string[]> {
  const found: string[] = [];
  for (let offset = topic.firstOffset(partition); offset < topic.endOffset(partition); ) {
    for (const record of await topic.read(partition, offset, 1 << 20)) {
      found.push(refusalOf(record.value));
      offset = record.offset + 1;
    }
  }
  return found;
}

/** Of a record in `late-events`. */
export function refusalOf(value: Uint8Array): string {
  const { offset, reason } = JSON.parse(Buffer.from(value).toString());
  return `${offset} ${reason}`;
}
