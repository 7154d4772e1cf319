import type { Pending } from '#src/booking/batching/pending.ts';
import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

import { bookingRequest } from './requests.ts';

type Fields = Partial<Pending> &
  Partial<Pick<BookingRequest, 'customer' | 'quantity' | 'raceWindowMs' | 'signal'>>;

/** A request that waits to be decided, and what became of it. */
export function pendingRequest(
  eventId: number,
  {
    customer = 'test',
    quantity = 1,
    raceWindowMs = 0,
    signal = new AbortController().signal,
    ...fields
  }: Fields = {},
): { pending: Pending; outcome: Promise<Outcome> } {
  const { promise: outcome, resolve: settle, reject: fail } = Promise.withResolvers<Outcome>();
  const pending = {
    request: bookingRequest(eventId, { customer, quantity, raceWindowMs, signal }),
    deadlineMs: performance.now() + 10_000,
    isInDoubt: false,
    settle,
    fail,
    ...fields,
  };
  return { pending, outcome };
}
