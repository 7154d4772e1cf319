import { sql } from 'kysely';

import type { BookingState } from '#src/contract.ts';

import { STORED_BOOKING, type StoredBooking } from './bookings.ts';
import { CANCELLED_EPOCH, type Db, STATE_NOW } from './schema.ts';

/** Bookings of an event, of a customer or of both, in the order of their ids: so many after that one. */
export interface BookingPage {
  eventId?: number | undefined;
  customer?: string | undefined;
  state?: BookingState | undefined;
  /** Ids begin with the time at which they were made, so that what is booked meanwhile comes last, or nearly. */
  after?: string | undefined;
  limit: number;
}

/** What a reset has left behind is not listed. Each order has its index (indexes.ts). */
export async function listBookings(
  db: Db,
  { eventId, customer, state, after, limit }: BookingPage,
): Promise<StoredBooking[]> {
  let query = db
    .selectFrom('bookings')
    .innerJoin('inventory', 'inventory.event_id', 'bookings.event_id')
    .select(STORED_BOOKING)
    .where(sql<boolean>`bookings.epoch in (inventory.epoch, ${sql.lit(CANCELLED_EPOCH)})`)
    .orderBy('bookings.id')
    .limit(limit);
  if (eventId !== undefined) query = query.where('bookings.event_id', '=', eventId);
  if (customer !== undefined) query = query.where('bookings.customer', '=', customer);
  if (after !== undefined) query = query.where('bookings.id', '>', after);
  if (state !== undefined) query = query.where(STATE_NOW, '=', state);
  // Of what is not confirmed there is little, and it has an index of its own; its condition must stand here as there.
  if (state !== undefined && state !== 'confirmed') {
    query = query.where(sql<boolean>`(bookings.state <> 'confirmed' or bookings.epoch = 0)`);
  }
  return query.execute();
}
