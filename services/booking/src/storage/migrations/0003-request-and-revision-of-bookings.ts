import { sql, type Kysely } from 'kysely';

/**
 * The request that made a booking, and the stock revision that it made: the counter's `version` after its tickets were
 * taken, and so the order of an event's commits. Bookings of before this have neither.
 *
 * The columns are entries in the catalogue: no row is rewritten. The index costs one scan of the table, and nobody can
 * read or write bookings meanwhile: a fifth of a second for each million rows. CREATE INDEX CONCURRENTLY would let them,
 * but it waits for all other transactions, the second of two migrations among them, which waits for the first.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table bookings add column request_id uuid, add column stock_revision bigint`.execute(db);
  await sql`
    create unique index bookings_of_request on bookings (request_id) where request_id is not null`.execute(
    db,
  );
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table bookings drop column request_id, drop column stock_revision`.execute(db);
}
