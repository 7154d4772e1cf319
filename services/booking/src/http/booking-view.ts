import type { Context } from 'hono';

import type { BookingView, StrategyName } from '#src/contract.ts';
import type { StoredBooking } from '#src/storage/bookings.ts';

import type { Access } from './access.ts';
import type { Env } from './read-input.ts';

/** What is shown of a booking, as it was made or as it is stored. */
export type BookingToShow = Pick<
  StoredBooking,
  'bookingId' | 'eventId' | 'customer' | 'quantity' | 'strategy' | 'instanceId' | 'fencingToken'
>;

export function viewOf(booking: BookingToShow): BookingView {
  const { bookingId, eventId, customer, quantity, strategy, instanceId, fencingToken } = booking;
  return {
    bookingId,
    eventId,
    customer,
    quantity,
    strategy: strategy as StrategyName,
    instanceId,
    fencingToken,
  };
}

/** The same with what has become of it. */
export function viewWithState(
  booking: BookingToShow & Pick<StoredBooking, 'state' | 'expiresAt'>,
): BookingView {
  const { state, expiresAt } = booking;
  const isHold = state === 'held' || state === 'expired';
  return {
    ...viewOf(booking),
    state,
    ...(isHold && expiresAt !== null && { expiresAt: expiresAt.toISOString() }),
  };
}

/** The same for whoever asks: a stranger sees that there is a booking, and not whose. */
export function viewFor(
  c: Context<Env>,
  access: Pick<Access, 'maySeeCustomer'>,
  booking: StoredBooking,
): BookingView {
  const view = viewWithState(booking);
  return access.maySeeCustomer(c, booking.bookingId) ? view : { ...view, customer: null };
}
