import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { BookingRequest, Outcome, Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import type { StrategyName } from '#src/contract.ts';
import { lockStock, writeStock } from '#src/storage/inventory.ts';
import type { PooledDb } from '#src/storage/pool.ts';

/** A read before the lock, or outside the transaction, would be the race again. */
export function rowLock({ db, instanceId }: Pick<StrategyDeps, 'db' | 'instanceId'>): Strategy {
  return {
    name: 'row-lock',
    guarantee: 'always',
    guardsWith: 'SELECT ... FOR UPDATE on the row of the event, held from the read to the commit',
    breaksWhen: 'never, as long as every reader that decides takes the row lock first',
    costs: 'a connection for as long as the critical section lasts, waiting included',

    book: (request) => bookUnderRowLock(db, request, { strategy: 'row-lock', instanceId }),
  };
}

export function bookUnderRowLock(
  db: PooledDb,
  request: BookingRequest,
  by: { strategy: StrategyName; instanceId: string },
): Promise<Outcome> {
  const { arrivedAtMs, eventId, quantity } = request;
  return commitBooking(db, request, async (trx): Promise<Outcome> => {
    const stock = await lockStock(trx, eventId, { arrivedAtMs });
    if (stock === undefined) return EVENT_NOT_FOUND;
    if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
    if (stock.available < quantity) return SOLD_OUT;

    await holdRaceWindow(request, trx);

    const { epoch, changes } = stock;
    const left = stock.available - quantity;
    const taken = await writeStock(trx, { eventId, epoch, changes, available: left });
    if (taken === undefined) return CHANGED_MEANWHILE;
    return insertWithinTerms(trx, { ...request, ...taken, ...by, epoch, fencingToken: null });
  });
}
