import { sql } from 'kysely';

import type { Db } from '#src/storage/schema.ts';

/** As if so many seconds had gone by for the holds of an event: their ends come as much sooner, all of them. */
export async function letHoldsAge(db: Db, eventId: number, seconds: number): Promise<void> {
  const ago = sql`${seconds} * interval '1 second'`;
  await db.transaction().execute(async (trx) => {
    await sql`select from inventory where event_id = ${eventId} for update`.execute(trx);
    await sql`
      update bookings set expires_at = expires_at - ${ago}, created_at = created_at - ${ago}
      where event_id = ${eventId} and hold_s is not null`.execute(trx);
    // Through values that no other row has: the key is checked row by row.
    await sql`
      update held_stock set ends_at = ends_at + interval '1000 years' where event_id = ${eventId}`.execute(
      trx,
    );
    await sql`
      update held_stock set ends_at = ends_at - interval '1000 years' - ${ago} where event_id = ${eventId}`.execute(
      trx,
    );
  });
}
