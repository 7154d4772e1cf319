import { sql, type Kysely } from 'kysely';

/**
 * When an event is on sale, and how many tickets it sells at once and to one customer. They stand in the row that every
 * booking changes, so that each of them is decided by what holds at that moment. Entries in the catalogue: no row is
 * rewritten.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table inventory
      add column sales_open_at timestamptz,
      add column sales_close_at timestamptz,
      add column max_per_booking integer,
      add column max_per_customer integer`.execute(db);
  // What the customer could still book after this booking; null where the event has no limit for that.
  await sql`alter table bookings add column allowance_left integer`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table inventory
      drop column sales_open_at, drop column sales_close_at, drop column max_per_booking, drop column max_per_customer`.execute(
    db,
  );
  await sql`alter table bookings drop column allowance_left`.execute(db);
}
