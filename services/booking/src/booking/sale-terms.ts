import { ANONYMOUS } from '#src/contract.ts';
import type { SaleTerms } from '#src/storage/sale-terms.ts';

import type { BookingRequest, Outcome } from './strategy.ts';

/** What the terms of an event say to a request, in this order; whether there are tickets is asked after that. */
export function refusalByTerms(
  terms: SaleTerms | null,
  { customer, quantity }: Pick<BookingRequest, 'customer' | 'quantity'>,
): Outcome | undefined {
  if (terms === null) return undefined;
  const { opensAtMs, closesAtMs, isOnSale, maxPerBooking, maxPerCustomer } = terms;
  if (!isOnSale) return { code: 'not_on_sale', opensAtMs, closesAtMs };
  if (maxPerBooking !== null && quantity > maxPerBooking) return { code: 'limit_reached', maxPerBooking };
  if (maxPerCustomer !== null && customer === ANONYMOUS) return { code: 'customer_required' };
  return undefined;
}

/** What customers may still book of an event, while its row is locked. */
export interface Allowances {
  /** @returns what is left of the allowance after such a booking; or the refusal */
  take(request: Pick<BookingRequest, 'customer' | 'quantity'>): number | Outcome;
}

/** @param tickets what each customer has */
export function createAllowances(maxPerCustomer: number, tickets: ReadonlyMap<string, number>): Allowances {
  const lefts = new Map<string, number>();
  return {
    take({ customer, quantity }) {
      // It may be more than the limit, which can be lowered.
      const before = lefts.get(customer) ?? Math.max(0, maxPerCustomer - (tickets.get(customer) ?? 0));
      if (quantity > before) return { code: 'limit_reached', maxPerCustomer, allowanceLeft: before };
      lefts.set(customer, before - quantity);
      return before - quantity;
    },
  };
}
