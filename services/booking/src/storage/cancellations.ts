import { sql } from 'kysely';

import { lockEventByAdvisory, lockStock } from './inventory.ts';
import { CANCELLED_EPOCH, type Trx } from './schema.ts';

/**
 * Takes a booking back and gives its tickets back, if it still counts: one of an epoch before a reset has none to give.
 *
 * The counter is raised by as many, never above the capacity. So it costs the same whatever was sold, while everybody
 * else waits for the row; and where `no-lock` has sold behind the counter's back, a ticket comes back that was never
 * there. `make audit` finds such events, and mends their counters.
 *
 * The row stays, in an epoch of which nothing counts, until a reset sweeps it away: its keys stay taken. A statement whose
 * answer was lost may still be on its way, and would book the cancelled request again.
 *
 * @returns false if the booking is not there any more
 */
export async function lockStockAndCancelBooking(
  trx: Trx,
  {
    bookingId,
    eventId,
    epoch,
    quantity,
  }: { bookingId: string; eventId: number; epoch: number; quantity: number },
): Promise<boolean> {
  // In the order of those who book: first the advisory lock, then the row. The other way round is a deadlock.
  await lockEventByAdvisory(trx, eventId);
  await lockStock(trx, eventId);
  const { numAffectedRows } = await sql`
    update bookings set epoch = ${CANCELLED_EPOCH}
    where id = ${bookingId} and epoch <> ${CANCELLED_EPOCH}`.execute(trx);
  if (numAffectedRows === 0n) return false;
  await sql`
    update inventory set version = version + 1, changes = changes + 1,
      available = least(capacity, available + ${quantity})
    where event_id = ${eventId} and epoch = ${epoch}`.execute(trx);
  return true;
}
