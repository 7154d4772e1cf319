import { sql } from 'kysely';

import type { StoredBooking } from './bookings.ts';
import { lockEvent } from './inventory.ts';
import { CANCELLED_EPOCH, type Trx } from './schema.ts';

/**
 * Takes a booking back, or a hold that has not ended, and gives its tickets back if they still count: one of an epoch
 * before a reset has none to give.
 *
 * The counter is raised by as many, never above the capacity. So it costs the same whatever was sold, while everybody
 * else waits for the row; and where `no-lock` has sold behind the counter's back, a ticket comes back that was never
 * there. `make audit` finds such events, and mends their counters.
 *
 * The row stays, and its keys stay taken: a statement whose answer was lost may still be on its way, and would book the
 * cancelled request again.
 *
 * @returns false if it is cancelled already, or its hold has ended
 */
export async function lockStockAndCancelBooking(
  trx: Trx,
  { bookingId, eventId, state }: Pick<StoredBooking, 'bookingId' | 'eventId' | 'state'>,
): Promise<boolean> {
  await lockEvent(trx, eventId);
  // Had the next statement to wait for an extension, it would not see the tickets where that has brought them.
  if (state === 'held') await sql`select from bookings where id = ${bookingId} for update`.execute(trx);
  const { rows } = await sql<{ isCancelled: boolean }>`
    with booking as materialized (
      select id, event_id, epoch, quantity, state, expires_at from bookings
      where id = ${bookingId} and epoch <> ${CANCELLED_EPOCH}
        and (state = 'confirmed' or (state = 'held' and expires_at > clock_timestamp()))
      for update
    ), unheld as (
      update held_stock set quantity = held_stock.quantity - booking.quantity
      from booking
      where booking.state = 'held' and held_stock.event_id = booking.event_id and held_stock.epoch = booking.epoch
        and ends_at = booking.expires_at and ends_at > clock_timestamp()
      returning booking.id
    ), cancelled as (
      update bookings set state = 'cancelled' from booking
      where bookings.id = booking.id and (booking.state = 'confirmed' or exists (select from unheld))
      returning bookings.event_id, bookings.epoch, bookings.quantity
    ), freed as (
      update inventory set version = version + 1, changes = changes + 1,
        available = least(capacity, available + cancelled.quantity)
      from cancelled where inventory.event_id = cancelled.event_id and inventory.epoch = cancelled.epoch
    )
    select exists (select from cancelled) as "isCancelled"`.execute(trx);
  return rows[0]?.isCancelled === true;
}
