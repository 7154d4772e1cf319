import { insertBooking, type NewBooking } from '#src/storage/bookings.ts';
import { countTicketsOfCustomers } from '#src/storage/customer-tickets.ts';
import type { Taken } from '#src/storage/inventory.ts';
import type { Trx } from '#src/storage/schema.ts';

import { createAllowances, refusalByTerms } from './sale-terms.ts';
import type { Outcome } from './strategy.ts';

/** Thrown out of the transaction, so that the tickets which it has taken are given back. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.code);
    this.outcome = outcome;
  }
}

/**
 * The last step of whoever books in a transaction. The tickets are taken, so that the event's row is locked: no terms
 * change any more, and nobody else books for the same customer, until the commit.
 * @throws RefusedError the terms of the event forbid it
 */
export async function insertWithinTerms(
  trx: Trx,
  booking: Omit<NewBooking, 'allowanceLeft'> & Taken & { epoch: number },
): Promise<Extract<Outcome, { code: 'booked' }>> {
  const { customer, eventId, epoch, fencingToken, terms } = booking;
  const refusal = refusalByTerms(terms, booking);
  if (refusal !== undefined) throw new RefusedError(refusal);
  const maxPerCustomer = terms?.maxPerCustomer ?? null;
  if (maxPerCustomer === null) {
    await insertBooking(trx, booking);
    return { code: 'booked', fencingToken };
  }
  const tickets = await countTicketsOfCustomers(trx, { eventId, epoch, customers: [customer] });
  const allowanceLeft = createAllowances(maxPerCustomer, tickets).take(booking);
  if (typeof allowanceLeft !== 'number') throw new RefusedError(allowanceLeft);
  await insertBooking(trx, { ...booking, allowanceLeft });
  return { code: 'booked', fencingToken, allowanceLeft };
}
