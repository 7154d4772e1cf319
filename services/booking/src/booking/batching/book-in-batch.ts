import { lockWaitOf, type BookingRequest, type Outcome } from '#src/booking/strategy.ts';

import type { BatchQueues } from './batch-queues.ts';

/** @param waitMs after it, a request that is not yet on its way to the database is given up */
export function bookInBatch(queues: BatchQueues, request: BookingRequest, waitMs: number): Promise<Outcome> {
  const deadlineMs = performance.now() + lockWaitOf(request, waitMs);
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  queues.enqueue({ request, deadlineMs, isInDoubt: false, settle: resolve, fail: reject });
  return promise;
}
