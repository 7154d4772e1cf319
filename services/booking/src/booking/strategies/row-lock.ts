import { commitBooking } from '#src/booking/commit.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { insertBooking } from '#src/storage/bookings.ts';
import { lockStock, writeStock } from '#src/storage/inventory.ts';

/** A read before the lock, or outside the transaction, would be the race again. */
export function rowLock({ db, instanceId }: Pick<StrategyDeps, 'db' | 'instanceId'>): Strategy {
  return {
    name: 'row-lock',
    guarantee: 'always',
    guardsWith: 'SELECT ... FOR UPDATE on the row of the event, held from the read to the commit',
    breaksWhen: 'never, as long as every reader that decides takes the row lock first',
    costs: 'a connection for as long as the critical section lasts, waiting included',

    book(request) {
      const { arrivedAtMs, eventId, quantity } = request;
      return commitBooking(db, request, async (trx) => {
        const stock = await lockStock(trx, eventId, { arrivedAtMs });
        if (stock === undefined) return EVENT_NOT_FOUND;
        if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
        if (stock.available < quantity) return SOLD_OUT;

        await holdRaceWindow(request, trx);

        const { epoch, changes } = stock;
        const left = stock.available - quantity;
        const stockRevision = await writeStock(trx, { eventId, epoch, changes, available: left });
        if (stockRevision === undefined) return CHANGED_MEANWHILE;
        await insertBooking(trx, {
          ...request,
          epoch,
          stockRevision,
          strategy: 'row-lock',
          instanceId,
          fencingToken: null,
        });
        return { code: 'booked', fencingToken: null };
      });
    },
  };
}
