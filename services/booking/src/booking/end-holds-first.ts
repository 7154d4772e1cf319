import { endHolds, readStockNow, type StockNow } from '#src/storage/held-stock.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { shareReads } from '#src/storage/share-reads.ts';

import { refusalByTerms } from './sale-terms.ts';
import { type BookingRequest, type Outcome, SOLD_OUT, type Strategy } from './strategy.ts';

/**
 * Tickets of holds that have ended are free, though nobody has given them back to the counter yet, which is all that a
 * strategy looks at. So nobody is refused for want of tickets before this has looked: if there are enough after all, what
 * has ended is given back and the strategy is asked again. The look is one small read, which all who are refused at the
 * same time share, and it began after each of them was. It also tells whether the event is on sale at all: who comes too
 * early or too late is told that, whether or not there would be tickets.
 */

/** Somebody else may have taken what came back; this often in a row, it is a crowd that has had its chance. */
const MAX_LOOKS = 4;

export function endHoldsFirst(db: PooledDb): (strategy: Strategy) => Strategy {
  const look = shareReads((eventId: number) => readStockNow(db, eventId));
  const giveBack = shareReads((eventId: number) => endHolds(db, eventId));

  return (strategy) => ({
    ...strategy,
    async book(request) {
      let stock: StockNow | undefined;
      for (let looks = 1; looks <= MAX_LOOKS; looks += 1) {
        const outcome = await strategy.book(request);
        if (outcome.code !== 'sold_out') return outcome;
        stock = await look(request.eventId);
        const refusal = refusalByTerms(stock?.terms ?? null, request);
        if (refusal !== undefined) return refusal;
        if (stock === undefined || stock.available < request.quantity) return refusalFor(request, stock);
        if (stock.ended > 0) await giveBack(request.eventId);
      }
      return BUSY;
    },
  });
}

function refusalFor({ quantity }: BookingRequest, stock: StockNow | undefined): Outcome {
  if (stock === undefined || stock.nextEndAt === null) return SOLD_OUT;
  const mayComeBack = stock.available + stock.held >= quantity;
  return mayComeBack ? { code: 'all_held', nextEndAt: stock.nextEndAt } : SOLD_OUT;
}

const BUSY: Outcome = Object.freeze({
  code: 'busy',
  detail: 'Tickets came back again and again, and others were faster each time; nothing was written.',
});
