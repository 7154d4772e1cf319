import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { untilNoConflict } from '#src/booking/retry.ts';
import type { Conflict } from '#src/booking/retry.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Outcome, Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { readStock, writeStockIfUnchanged } from '#src/storage/inventory.ts';

/** All but one of those who read together start over, so that the work grows with the square of the crowd. */
export function optimistic({
  db,
  instanceId,
  onRetry,
}: Pick<StrategyDeps, 'db' | 'instanceId' | 'onRetry'>): Strategy {
  return {
    name: 'optimistic',
    guarantee: 'always',
    guardsWith: 'a version compared and raised by the write; who finds another one starts over from the read',
    breaksWhen: 'never, as long as every writer raises the version',
    costs: 'retries that grow with contention, and refusals ("busy") when they run out',

    book: (request) =>
      untilNoConflict(
        request,
        () => onRetry('optimistic'),
        async () => {
          const { arrivedAtMs, eventId, quantity } = request;
          const stock = await readStock(db.until(request.deadlineMs), eventId, arrivedAtMs);
          if (stock === undefined) return EVENT_NOT_FOUND;
          if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
          if (stock.available < quantity) return SOLD_OUT;

          await holdRaceWindow(request);

          return commitBooking(db, request, async (trx): Promise<Outcome | Conflict> => {
            const { epoch, version } = stock;
            const left = stock.available - quantity;
            const decided = { eventId, epoch, version, available: left };
            const taken = await writeStockIfUnchanged(trx, decided);
            if (taken === undefined) return { code: 'conflict' };
            return insertWithinTerms(trx, {
              ...request,
              ...taken,
              epoch,
              strategy: 'optimistic',
              instanceId,
              fencingToken: null,
            });
          });
        },
      ),
  };
}
