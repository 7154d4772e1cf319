import { sql, type Kysely } from 'kysely';

/** A default that is a constant is kept in the catalogue: no row is rewritten. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table events add column revision integer not null default 1`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table events drop column revision`.execute(db);
}
