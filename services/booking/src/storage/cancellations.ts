import { sql } from 'kysely';

import { lockEventByAdvisory, lockStock } from './inventory.ts';
import type { Trx } from './schema.ts';

/**
 * Removes a booking and gives its tickets back, if it still counts: one of an epoch before a reset has none to give.
 *
 * The counter is set to what the rows say rather than raised. They say the same as long as nobody oversells; an event
 * that `no-lock` has oversold must not get a ticket back that was never there. The row is ours, so that no booking
 * commits in between.
 *
 * @returns false if the booking is not there any more
 */
export async function lockStockAndCancelBooking(
  trx: Trx,
  { bookingId, eventId, epoch }: { bookingId: string; eventId: number; epoch: number },
): Promise<boolean> {
  // In the order of those who book: first the advisory lock, then the row. The other way round is a deadlock.
  await lockEventByAdvisory(trx, eventId);
  await lockStock(trx, eventId);
  const { numAffectedRows } = await sql`delete from bookings where id = ${bookingId}`.execute(trx);
  if (numAffectedRows === 0n) return false;
  await sql`
    update inventory set version = version + 1, changes = changes + 1, available = greatest(0, capacity - (
      select coalesce(sum(quantity), 0) from bookings where event_id = ${eventId} and epoch = ${epoch}))
    where event_id = ${eventId} and epoch = ${epoch}`.execute(trx);
  return true;
}
