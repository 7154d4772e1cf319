import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import {
  CHANGED_MEANWHILE,
  EVENT_NOT_FOUND,
  lockNameOf,
  lockWaitOf,
  SOLD_OUT,
} from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { underLease } from '#src/booking/under-lease.ts';
import { readStock, writeStock } from '#src/storage/inventory.ts';

/**
 * The lock as most programs have it: the lease is not renewed and nobody checks it. Also somebody who books without taking
 * the lock breaks it. A change of capacity takes none either, and is noticed by the write: the buyer is told to come back.
 */
export function simpleLock(
  deps: Pick<
    StrategyDeps,
    'db' | 'eventExists' | 'instanceId' | 'lockTtlMs' | 'lockWaitMs' | 'onReleaseFailed' | 'simpleLock'
  >,
): Strategy {
  const { db, instanceId, simpleLock: locks, lockTtlMs: ttlMs, lockWaitMs, onReleaseFailed } = deps;
  return {
    name: 'simple-lock',
    guarantee: 'while-lease-held',
    guardsWith: 'the textbook Redis lock: SET NX PX, compare and delete',
    breaksWhen:
      'a holder is paused for longer than its lease (garbage collection, a stopped process, a slow disk) and then writes',
    costs: 'two round trips to Redis, one booking at a time per event, waiting by polling',

    async book(request) {
      const { arrivedAtMs, eventId, quantity, signal } = request;
      if (!(await deps.eventExists(eventId))) return EVENT_NOT_FOUND;
      const waitMs = lockWaitOf(request, lockWaitMs);
      const options = { ttlMs, waitMs, signal, renew: false, onReleaseFailed };
      return underLease(locks, lockNameOf(eventId), options, async () => {
        const stock = await readStock(db.until(request.deadlineMs), eventId, arrivedAtMs);
        if (stock === undefined) return EVENT_NOT_FOUND;
        if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
        if (stock.available < quantity) return SOLD_OUT;

        await holdRaceWindow(request);

        return commitBooking(db, request, async (trx) => {
          const { epoch, changes } = stock;
          const left = stock.available - quantity;
          const taken = await writeStock(trx, { eventId, epoch, changes, available: left });
          if (taken === undefined) return CHANGED_MEANWHILE;
          return insertWithinTerms(trx, {
            ...request,
            ...taken,
            epoch,
            strategy: 'simple-lock',
            instanceId,
            fencingToken: null,
          });
        });
      });
    },
  };
}
