import type { IsolationLevel } from 'kysely';

import { commitBooking } from '#src/booking/commit.ts';
import { insertWithinTerms } from '#src/booking/insert-within-terms.ts';
import { holdRaceWindow } from '#src/booking/race-window.ts';
import { untilNoConflict } from '#src/booking/retry.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { Outcome, Strategy, StrategyDeps } from '#src/booking/strategy.ts';
import { isSerializationFailure } from '#src/storage/failure.ts';
import { readStock, writeStock } from '#src/storage/inventory.ts';

/** The code is the race of `no-lock`, written as if it were alone. */
export function serializable(
  { db, instanceId, onRetry }: Pick<StrategyDeps, 'db' | 'instanceId' | 'onRetry'>,
  { isolation = 'serializable' }: { isolation?: IsolationLevel } = {},
): Strategy {
  return {
    name: 'serializable',
    guarantee: 'always',
    guardsWith:
      'SERIALIZABLE transactions: Postgres refuses those that were not as if alone (SQLSTATE 40001), and they start over',
    breaksWhen: 'never; at READ COMMITTED, the default of Postgres, the same code oversells',
    costs: 'retries that grow with contention, and refusals ("busy") when they run out',

    book(request) {
      const { arrivedAtMs, eventId, quantity } = request;
      const attempt = () =>
        commitBooking(
          db,
          request,
          async (trx): Promise<Outcome> => {
            const stock = await readStock(trx, eventId, arrivedAtMs);
            if (stock === undefined) return EVENT_NOT_FOUND;
            if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
            if (stock.available < quantity) return SOLD_OUT;

            await holdRaceWindow(request, trx);

            const { epoch, changes } = stock;
            const left = stock.available - quantity;
            const taken = await writeStock(trx, { eventId, epoch, changes, available: left });
            if (taken === undefined) return CHANGED_MEANWHILE;
            return insertWithinTerms(trx, {
              ...request,
              ...taken,
              epoch,
              strategy: 'serializable',
              instanceId,
              fencingToken: null,
            });
          },
          { isolation },
        );
      return untilNoConflict(
        request,
        () => onRetry('serializable'),
        () =>
          attempt().catch((error: unknown) => {
            if (isSerializationFailure(error)) return { code: 'conflict' };
            throw error;
          }),
      );
    },
  };
}
