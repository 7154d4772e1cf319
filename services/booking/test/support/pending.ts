import type { Pending, Verdict } from '#src/booking/batching/pending.ts';
import type { BookingRequest } from '#src/booking/strategy.ts';

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
): { pending: Pending; verdict: Promise<Verdict> } {
  const { promise: verdict, resolve: settle, reject: fail } = Promise.withResolvers<Verdict>();
  const pending = {
    request: bookingRequest(eventId, { customer, quantity, raceWindowMs, signal }),
    instanceId: 'me',
    deadlineMs: performance.now() + 10_000,
    grant: undefined,
    mayBeBooked: false,
    settle,
    fail,
    ...fields,
  };
  return { pending, verdict };
}
