import { sql, type Kysely } from 'kysely';

/**
 * Bookings get a state, and tickets can be held for some time. All of it is entries in the catalogue and an empty table: no
 * row is rewritten, since the defaults are constants.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create type booking_state as enum ('held', 'confirmed', 'cancelled', 'expired')`.execute(db);
  await sql`
    alter table bookings
      add column state booking_state not null default 'confirmed',
      -- For how long it was held at first; null where it was booked at once.
      add column hold_s integer,
      add column expires_at timestamptz`.execute(db);

  // The tickets of an event that are held, by the moment at which their holds end, which is a whole second: so there are
  // few rows, however many holds. What is free is told from them, and an end that has come is one row to take away.
  // A hold whose row is gone has ended, whatever the clock says.
  await sql`
    create table held_stock (
      event_id integer not null,
      epoch integer not null,
      ends_at timestamptz not null,
      quantity integer not null check (quantity >= 0),
      primary key (event_id, epoch, ends_at)
    ) with (fillfactor = 50)`.execute(db);
  // For those that have ended: what each replica looks for every few seconds.
  await sql`create index held_stock_by_end on held_stock (ends_at)`.execute(db);

  // All holds that were to end by then have ended: new ones end later, also if the clock is set back.
  await sql`
    alter table inventory
      add column holds_ended_until timestamptz not null default '1970-01-01 00:00+00'`.execute(db);

  // Whether a hold that has ended can still be confirmed while there are tickets.
  await sql`alter table events add column honours_late_payment boolean not null default false`.execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table events drop column honours_late_payment`.execute(db);
  await sql`alter table inventory drop column holds_ended_until`.execute(db);
  await sql`drop table held_stock`.execute(db);
  await sql`alter table bookings drop column state, drop column hold_s, drop column expires_at`.execute(db);
  await sql`drop type booking_state`.execute(db);
}
