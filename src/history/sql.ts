/** The little that history asks of a SQL database (PostgreSQL 15 or newer), and its statements. */
import { readFileSync } from 'node:fs';

/** Columns by name: timestamps as Date, JSONB parsed, bigint and numeric never selected as such. */
export type Row = Record<string, unknown>;

export interface Querying {
  /** Without `params` the text may hold several statements; the rows are those of the last one. */
  query(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

export interface Sql extends Querying {
  /**
   * Runs `work` in a transaction of its own: committed when it resolves, undone when it rejects.
   */
  transaction<T>(work: (inside: Querying) => Promise<T>): Promise<T>;
  /** Bytes that the database takes where it is stored. */
  sizeBytes(): Promise<number>;
  /** After the queries asked for before. */
  close(): Promise<void>;
}

/** The text of a statement in `sql/`. */
export function statement(name: string): string {
  return readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
}
