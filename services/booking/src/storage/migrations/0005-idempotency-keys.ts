import { sql, type Kysely } from 'kysely';

/**
 * The `Idempotency-Key` that a booking was made with, if it had one. An entry in the catalogue: no row is rewritten. That
 * a key is taken once is the business of an index, which is built while the event sells (see indexes.ts).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table bookings add column idempotency_key text`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table bookings drop column idempotency_key`.execute(db);
}
