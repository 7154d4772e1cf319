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
  if (code === 'not_on_sale') return notOnSale(eventId, outcome);
  if (code === 'limit_reached') return limitReached(eventId, outcome);
  if (code === 'customer_required') {
    const detail = `Event ${eventId} sells so many tickets to each customer, and to nobody without a name; nothing was booked.`;
    return { code, detail };
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

type Refused<Code extends Outcome['code']> = Extract<Outcome, { code: Code }>;

function notOnSale(eventId: number, { opensAtMs, closesAtMs }: Refused<'not_on_sale'>): ProblemDetails {
  const salesOpenAt = textOf(opensAtMs);
  const salesCloseAt = textOf(closesAtMs);
  const window = [salesOpenAt && `opens at ${salesOpenAt}`, salesCloseAt && `closes at ${salesCloseAt}`];
  return {
    code: 'not_on_sale',
    detail: `Event ${eventId} is not on sale now: it ${window.filter(Boolean).join(' and ')}. Nothing was booked.`,
    ...(salesOpenAt && { salesOpenAt }),
    ...(salesCloseAt && { salesCloseAt }),
  };
}

function textOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}

function limitReached(eventId: number, outcome: Refused<'limit_reached'>): ProblemDetails {
  const { code } = outcome;
  if ('maxPerBooking' in outcome) {
    const { maxPerBooking } = outcome;
    const detail = `Event ${eventId} sells at most ${maxPerBooking} ticket(s) at once; nothing was booked.`;
    return { code, detail, maxPerBooking };
  }
  const { allowanceLeft, maxPerCustomer } = outcome;
  const detail =
    `Event ${eventId} sells at most ${maxPerCustomer} ticket(s) to one customer, who can book ${allowanceLeft} more; ` +
    'nothing was booked.';
  return { code, detail, allowanceLeft };
}
