import type { Pending, Verdict } from '#src/booking/batching/pending.ts';

import { bookingRequest } from './requests.ts';

/** A request that waits to be decided, and what became of it. */
export function pendingRequest(
  eventId: number,
  { customer, signal, ...fields }: Partial<Pending> & { customer?: string; signal?: AbortSignal } = {},
): { pending: Pending; verdict: Promise<Verdict> } {
  const { promise: verdict, resolve: settle, reject: fail } = Promise.withResolvers<Verdict>();
  const request = bookingRequest(eventId, {
    ...(customer === undefined ? {} : { customer }),
    ...(signal === undefined ? {} : { signal }),
  });
  const pending = {
    request,
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
