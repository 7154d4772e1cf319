import type { EventView } from '#src/contract.ts';
import type { EventRow } from '#src/storage/events.ts';

/** What is shown of an event: its limits where it has some, and its revisions in the `ETag`. */
export function eventViewOf(event: EventRow): EventView {
  const { id, name, capacity, available, booked, held, oversold } = event;
  const { honoursLatePayment, salesOpenAt, salesCloseAt, maxPerBooking, maxPerCustomer } = event;
  return {
    id,
    name,
    capacity,
    available,
    booked,
    held,
    oversold,
    ...(honoursLatePayment && { honoursLatePayment }),
    ...(salesOpenAt !== null && { salesOpenAt: salesOpenAt.toISOString() }),
    ...(salesCloseAt !== null && { salesCloseAt: salesCloseAt.toISOString() }),
    ...(maxPerBooking !== null && { maxPerBooking }),
    ...(maxPerCustomer !== null && { maxPerCustomer }),
  };
}
