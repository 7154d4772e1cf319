import { sql } from 'kysely';

import type { Db, Trx } from './schema.ts';

/** Bookings of one event that are written together, under one fencing token. */
export interface Batch {
  eventId: number;
  token: number;
  strategy: string;
  bookings: readonly { bookingId: string; customer: string; quantity: number; instanceId: string }[];
}

/**
 * Takes the tickets of all bookings and writes their rows, or does nothing at all: if they do not all fit, a larger
 * token has booked, or there is no such event. One statement, whole by itself; the row is locked for no longer than
 * it takes to commit.
 *
 * @returns whether they are booked
 */
export async function takeStockAndInsertAll(db: Db | Trx, batch: Batch): Promise<boolean> {
  const { eventId, token, strategy, bookings } = batch;
  const total = bookings.reduce((sum, { quantity }) => sum + quantity, 0);
  const { numAffectedRows } = await sql`
    with taken as (
      update inventory set available = available - ${total}, fence = ${token}, version = version + 1
      where event_id = ${eventId} and fence <= ${token} and available >= ${total}
      returning epoch
    )
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token)
    select booking.id, ${eventId}, taken.epoch, quantity, customer, ${strategy}, instance_id, ${token}
    from taken, unnest(${bookings.map(({ bookingId }) => bookingId)}::uuid[],
                       ${bookings.map(({ customer }) => customer)}::text[],
                       ${bookings.map(({ quantity }) => quantity)}::integer[],
                       ${bookings.map(({ instanceId }) => instanceId)}::text[])
      as booking (id, customer, quantity, instance_id)`.execute(db);
  return numAffectedRows === BigInt(bookings.length);
}

/**
 * Locks the event's row and raises its fence to `token`: from here on, no statement sent under a smaller token can
 * change it, not even one that is still on its way.
 *
 * @returns undefined if a larger token has booked, or there is no such event
 */
export async function lockStockAndRaiseFence(
  trx: Trx,
  { eventId, token }: { eventId: number; token: number },
): Promise<{ available: number; epoch: number } | undefined> {
  const { rows } = await sql<{ available: number; epoch: number }>`
    update inventory set fence = ${token}
    where event_id = ${eventId} and fence <= ${token}
    returning available, epoch`.execute(trx);
  return rows[0];
}

/** Those of the ids that were booked, each with the token that it was booked under. */
export async function findTokensOfBooked(trx: Trx, ids: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ id: string; token: number }>`
    select id, fencing_token as token from bookings where id = any(${ids}::uuid[])`.execute(trx);
  return new Map(rows.map(({ id, token }) => [id, token]));
}
