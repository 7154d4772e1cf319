import { commitStatement } from '#src/booking/commit.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { refusalByTerms } from '#src/booking/sale-terms.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { takeStockAndInsertBooking } from '#src/storage/bookings.ts';
import { readStock } from '#src/storage/inventory.ts';

import { bookUnderRowLock } from './row-lock.ts';

export function atomicUpdate({ db, instanceId }: Pick<StrategyDeps, 'db' | 'instanceId'>): Strategy {
  return {
    name: 'atomic-update',
    guarantee: 'always',
    guardsWith: 'one statement that checks and takes at once: there is no moment between read and write',
    breaksWhen: 'never; but it fits only decisions that one statement can make',
    costs: 'one round trip; bookings of one event wait for each other to reach the disk',

    async book(request) {
      // There is no gap to hold open; waiting before it shows just that.
      await holdRaceWindow(request);

      const booking = { ...request, strategy: 'atomic-update', instanceId, fencingToken: null };
      const result = await commitStatement(db, request, (db) => takeStockAndInsertBooking(db, booking));
      if (result !== 'booked' && 'code' in result) return result;
      if (result === 'booked' || result.isBooked) return { code: 'booked', fencingToken: null };
      if (result.hadEnough === null) return EVENT_NOT_FOUND;
      const refusal = refusalByTerms(result.terms, request);
      if (refusal !== undefined) return refusal;
      // What a customer has cannot be counted in the statement that waits for the row.
      if (result.hadEnough && result.terms !== null && result.terms.maxPerCustomer !== null)
        return bookUnderRowLock(
          db,
          { ...request, raceWindowMs: 0 },
          { strategy: 'atomic-update', instanceId },
        );
      // Somebody was faster, or the event was reset: the second look is only for those who had a chance.
      const { arrivedAtMs, eventId } = request;
      const stock = result.hadEnough ? await readStock(db, eventId, arrivedAtMs) : undefined;
      return stock?.isOfLaterEpoch ? CHANGED_MEANWHILE : SOLD_OUT;
    },
  };
}
