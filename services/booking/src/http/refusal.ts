import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

import type { ProblemDetails } from './problem.ts';

/** What a buyer is told of a booking that was not made, or of which nobody knows. */
export function refusalOf(
  outcome: Exclude<Outcome, { code: 'booked' | 'booked_before' }>,
  {
    bookingId,
    requestId,
    eventId,
    quantity,
  }: Pick<BookingRequest, 'bookingId' | 'requestId' | 'eventId' | 'quantity'>,
): ProblemDetails {
  const { code } = outcome;
  if (code === 'busy' || code === 'unavailable') return outcome;
  if (code === 'sold_out') {
    const detail = `Event ${eventId} has fewer than ${quantity} ticket(s) left; nothing was booked.`;
    return { code, detail };
  }
  if (code === 'all_held') {
    const detail =
      `Event ${eventId} has ${quantity} ticket(s) that are not sold, but some are held; nothing was booked. ` +
      `The next hold ends at ${outcome.nextEndAt.toISOString()}, if it is not confirmed before.`;
    return { code, detail, nextHoldEndsAt: outcome.nextEndAt.toISOString() };
  }
  if (code === 'event_not_found') return { code, detail: `There is no event ${eventId}.` };
  if (code === 'request_id_reused') {
    const detail = `Another request had the id ${requestId}, and has booked something else; nothing was booked.`;
    return { code, detail };
  }
  if (code === 'idempotency_key_reused') {
    const detail =
      'The idempotency key has made another booking of this customer, with other content; nothing was booked.';
    return { code, detail };
  }
  if (code === 'idempotency_key_in_use') {
    const detail =
      'Another request with this idempotency key was decided at the same time; nothing was booked by this one. ' +
      'Send it again for the answer.';
    return { code, detail };
  }
  const detail =
    'The connection to Postgres was lost during the commit and could not be restored in time. ' +
    `GET /requests/${requestId} tells whether the booking was made: look before you try again.`;
  return { code, detail, bookingId, cause: outcome.cause };
}
