import { sql, type Kysely } from 'kysely';

/** When the present epoch began; long ago, where nobody knows. The default is a constant: no row is rewritten. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table inventory add column epoch_began_at timestamptz not null default '1970-01-01 00:00+00'`.execute(
    db,
  );
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table inventory drop column epoch_began_at`.execute(db);
}
