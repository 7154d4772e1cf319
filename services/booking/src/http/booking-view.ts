import type { BookingView, StrategyName } from '#src/contract.ts';
import type { StoredBooking } from '#src/storage/bookings.ts';

/** What is shown of a booking, as it was made or as it is stored. */
export type BookingToShow = Omit<StoredBooking, 'requestId' | 'idempotencyKey' | 'epoch'>;

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
