/** Brings a database's tables to what this version needs: numbered steps, each applied once. */
import { readdirSync } from 'node:fs';
import { LullError } from '../errors.ts';
import { type Sql, statement } from './sql.ts';

/** Any number that nobody else locks by: two services that start together take turns. */
const MIGRATION_LOCK = 4_807_526_976;

const HAS_TABLE = `SELECT to_regclass('history_migrations')::text AS known`;

/** Applies the steps that are missing; safe to repeat, from several processes at once too. */
export async function migrate(sql: Sql): Promise<void> {
  await sql.transaction(async (inside) => {
    await inside.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const [table] = await inside.query(HAS_TABLE);
    // Who may not make tables can still use those that are there.
    if (table!['known'] === null) await inside.query(statement('migrations'));
    const applied = (await inside.query('SELECT number FROM history_migrations')).map((row) =>
      Number(row['number']),
    );
    const steps = migrations();
    const unknown = applied.find((number) => !steps.some((step) => step.number === number));
    if (unknown !== undefined) {
      throw new LullError('data_mismatch', `history was written by a newer version (${unknown})`);
    }
    for (const step of steps) {
      if (applied.includes(step.number)) continue;
      await inside.query(statement(`migrations/${step.name}`));
      await inside.query('INSERT INTO history_migrations VALUES ($1, $2)', [
        step.number,
        step.name,
      ]);
    }
  });
}

function migrations(): { number: number; name: string }[] {
  return readdirSync(new URL('./sql/migrations/', import.meta.url))
    .filter((file) => /^\d{4}-[a-z-]+\.sql$/.test(file))
    .sort()
    .map((file) => ({ number: Number(file.slice(0, 4)), name: file.slice(0, -'.sql'.length) }));
}
