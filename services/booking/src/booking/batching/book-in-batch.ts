import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

import type { BatchQueues } from './batch-queues.ts';

/** @param deadlineMs monotonic time by which the request must be on its way to the database */
export function bookInBatch(
  queues: BatchQueues,
  request: BookingRequest,
  deadlineMs: number,
): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  queues.enqueue({ request, deadlineMs, isInDoubt: false, settle: resolve, fail: reject });
  return promise;
}
