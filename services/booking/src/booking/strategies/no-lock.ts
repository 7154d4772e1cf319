import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { readStock, writeStock } from '#src/storage/inventory.ts';

/** The counter looks fine when it has oversold: both have written "none left". Only the rows tell. */
export function noLock({ db, instanceId }: Pick<StrategyDeps, 'db' | 'instanceId'>): Strategy {
  return {
    name: 'no-lock',
    guarantee: 'none',
    guardsWith: 'nothing: read, decide, write',
    breaksWhen: 'two requests read before either has written',
    costs: 'nothing, until it oversells',

    async book(request) {
      const { arrivedAtMs, eventId, quantity } = request;
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
          strategy: 'no-lock',
          instanceId,
          fencingToken: null,
        });
      });
    },
  };
}
