import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { lockEventByAdvisory, readStock, takeStock } from '#src/storage/inventory.ts';

/** What is read is not written back: nothing ties the number to the row, so that somebody may book without asking for it. */
export function advisoryLock({ db, instanceId }: Pick<StrategyDeps, 'db' | 'instanceId'>): Strategy {
  return {
    name: 'advisory-lock',
    guarantee: 'always',
    guardsWith:
      'pg_advisory_xact_lock on the number of the event; it ends with the transaction, so the commit comes before the release',
    breaksWhen:
      'never; who books without asking for the same number is noticed by the write, which takes tickets only from what is left',
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
        const taken = await takeStock(trx, { eventId, epoch, quantity });
        if (taken === undefined) return CHANGED_MEANWHILE;
        return insertWithinTerms(trx, {
          ...request,
          ...taken,
          epoch,
          strategy: 'advisory-lock',
          instanceId,
          fencingToken: null,
        });
      });
    },
  };
}
