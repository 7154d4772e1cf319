import { createBatchQueues } from '#src/booking/batching/batch-queues.ts';
import { type BatchDeps, decideBatch } from '#src/booking/batching/decide-batch.ts';
import { createSoldOutNotes } from '#src/booking/batching/sold-out-notes.ts';
import { SOLD_OUT } from '#src/booking/strategy.ts';
import type { BookingRequest, Outcome, Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * Guards with: one lease of the queue lock and its fencing token, checked by Postgres, for all requests that have
 *   gathered in this replica; one transaction books them in arrival order, each whole or not at all.
 * Breaks when: never, as far as exactness goes. Without Redis nothing is booked.
 * Costs: a batch shares one commit, so a hot event sells as fast as HTTP brings buyers; a lone booking pays one commit
 *   and, when another replica held the lock, two round trips to Redis.
 */
export function batchedLock(deps: StrategyDeps): Strategy {
  const notes = createSoldOutNotes();
  const batchDeps = {
    ...deps,
    locks: deps.queueLock,
    onSoldOut: (...found) => notes.note(...found),
  } satisfies BatchDeps;
  const queues = createBatchQueues<BookingRequest, Outcome>({
    decide: (eventId, take, waitUntilMs) => decideBatch(batchDeps, eventId, take, waitUntilMs),
    busy: { code: 'busy', detail: 'Too many are waiting for this event; nothing was written.' },
    maxWaitMs: deps.lockWaitMs,
  });
  return {
    name: 'batched-lock',
    guarantee: 'always',
    guardsWith: 'one lease of the queue lock for many bookings, its fencing token checked by Postgres',
    breaksWhen: 'never; a holder paused past its lease is refused by its token',
    costs: 'one commit for a whole batch; a lone booking pays it alone',

    async book(request) {
      if (notes.refuses(request.eventId, request.quantity)) return SOLD_OUT;
      return queues.enqueue(request.eventId, request);
    },
    stockChanged: (eventId) => notes.clear(eventId),
  };
}
