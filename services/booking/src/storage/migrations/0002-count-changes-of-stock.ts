import { sql, type Kysely } from 'kysely';

/** A default that is a constant is kept in the catalogue: no row is rewritten, whatever their number. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table inventory add column changes integer not null default 0`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table inventory drop column changes`.execute(db);
}
