import { commitBooking } from '#src/booking/commit.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { insertBooking } from '#src/storage/bookings.ts';
import { lockEventByAdvisory, readStock, takeStock } from '#src/storage/inventory.ts';

/**
 * Guards with: a lock in Postgres that is tied to a number and to no row (pg_advisory_xact_lock). It ends with the
 *   transaction, so it cannot be forgotten, and the commit comes before the release.
 * Breaks when: what was read is written back, and somebody has booked without asking for the same number: nothing ties
 *   it to the row. So the write takes tickets from what is there by then, and only if there are enough. Under REPEATABLE
 *   READ too: the snapshot would be taken before the lock was obtained.
 * Costs: a connection for as long as the critical section lasts, waiting included.
 */
export function advisoryLock({ db, instanceId }: StrategyDeps): Strategy {
  return {
    name: 'advisory-lock',
    guarantee: 'always',
    guardsWith: 'pg_advisory_xact_lock on the number of the event',
    breaksWhen: 'never; who books without asking for the same number is noticed by the write',
    costs: 'a connection for as long as the critical section lasts, waiting included',

    book(request) {
      const { arrivedAtMs, eventId, quantity } = request;
      return commitBooking(db, request, async (trx) => {
        await lockEventByAdvisory(trx, eventId);
        const stock = await readStock(trx, eventId, arrivedAtMs);
        if (stock === undefined) return EVENT_NOT_FOUND;
        if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
        if (stock.available < quantity) return SOLD_OUT;

        await holdRaceWindow(request, trx);

        const { epoch } = stock;
        const stockRevision = await takeStock(trx, { eventId, epoch, quantity });
        if (stockRevision === undefined) return CHANGED_MEANWHILE;
        await insertBooking(trx, {
          ...request,
          epoch,
          stockRevision,
          strategy: 'advisory-lock',
          instanceId,
          fencingToken: null,
        });
        return { code: 'booked', fencingToken: null };
      });
    },
  };
}
