import { LockTimeoutError } from '@lastseat/locking';

import { createBatchQueues, type BatchQueues } from '#src/booking/batching/batch-queues.ts';
import { createBookTogether } from '#src/booking/batching/book-together.ts';
import { decideBatch } from '#src/booking/batching/decide-batch.ts';
import { createDelegation } from '#src/booking/batching/delegation.ts';
import { createSoldOutNotes } from '#src/booking/batching/sold-out-notes.ts';
import { SOLD_OUT } from '#src/booking/strategy.ts';
import type { Outcome, Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * Guards with: one lease of the queue lock and its fencing token, checked by Postgres, for all requests that have
 *   gathered; one transaction books them in arrival order, each whole or not at all. The replica that holds the lock
 *   books for the others too, and keeps it while nobody else wants it.
 * Breaks when: never, as far as exactness goes. Without Redis nothing is booked.
 * Costs: a batch shares one commit, so a hot event sells as fast as HTTP brings buyers. A lone booking pays one commit,
 *   and a round trip to Redis or, while another replica holds the lock, a message each way.
 */
export function batchedLock(deps: StrategyDeps): Strategy {
  const { instanceId, keptLock, lockWaitMs, mailbox } = deps;
  const notes = createSoldOutNotes();
  const batchDeps = { ...deps, locks: keptLock, bookTogether: createBookTogether(deps.db) };
  const delegation = createDelegation({
    mailbox,
    instanceId,
    holds: (eventId, grant) => queues.holds(eventId, grant),
    admit: (pending) => queues.enqueue(pending),
  });
  const queues: BatchQueues = createBatchQueues({
    clientId: keptLock.clientId,
    decide: (eventId, take, waitUntilMs) => decideBatch(batchDeps, eventId, take, waitUntilMs),
    delegate: (eventId, grant, batch) => delegation.ask(eventId, grant, batch),
    isTimeout: (error) => error instanceof LockTimeoutError,
  });

  return {
    name: 'batched-lock',
    guarantee: 'always',
    guardsWith: 'one lease of the queue lock for many bookings, its fencing token checked by Postgres',
    breaksWhen: 'never; a holder paused past its lease is refused by its token',
    costs: 'one commit for a whole batch; a lone booking pays it alone',

    async book(request) {
      if (notes.refuses(request.eventId, request.quantity)) return SOLD_OUT;
      const beganMs = performance.now();
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      queues.enqueue({
        request,
        instanceId,
        deadlineMs: beganMs + lockWaitMs,
        grant: undefined,
        mayBeBooked: false,
        settle(verdict) {
          // Found by a read that began later, here or in the replica that decided it.
          if ('left' in verdict) notes.note(request.eventId, verdict.left, beganMs);
          resolve(verdict.code === 'sold_out' ? SOLD_OUT : (verdict as Outcome));
        },
        fail: reject,
      });
      return promise;
    },
    stockChanged: (eventId) => notes.clear(eventId),
    retire: () => delegation.retire(),
  };
}
