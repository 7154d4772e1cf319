import type { BookingFinder } from '#src/storage/booking-finder.ts';
import { KeyTakenError } from '#src/storage/failure.ts';
import { CANCELLED_EPOCH } from '#src/storage/schema.ts';

import { SOLD_OUT, type BookingRequest, type Outcome, type Strategy } from './strategy.ts';

/**
 * One request, one booking, whatever repeats it. A key of the table decides, in the statement that books: whoever comes
 * second writes nothing and is told so by Postgres. What it answers is the booking of the first.
 *
 * A refusal writes nothing that the key could stop. So before a request that may have been sent before is told that
 * the tickets are gone, its own booking is looked for, which may have taken the last of them.
 */
export function oncePerRequest(strategy: Strategy, finder: BookingFinder): Strategy {
  return {
    ...strategy,
    async book(request) {
      try {
        const outcome = await strategy.book(request);
        const isInDoubt = outcome.code === 'sold_out' && request.mayBeRepeated;
        return isInDoubt ? ((await findFirst(request)) ?? SOLD_OUT) : outcome;
      } catch (error) {
        if (error instanceof KeyTakenError) return (await findFirst(request)) ?? GONE;
        throw error;
      }
    },
  };

  async function findFirst(request: BookingRequest): Promise<Outcome | undefined> {
    const booking = await finder.ofRequest(request.requestId);
    if (booking === undefined || booking.epoch === CANCELLED_EPOCH) return undefined;
    const isSame =
      booking.eventId === request.eventId &&
      booking.quantity === request.quantity &&
      booking.customer === request.customer;
    return isSame ? { code: 'booked_before', booking } : { code: 'request_id_reused' };
  }
}

/** What stood in the way is gone: it was cancelled, swept away by a reset, or refused itself. */
const GONE: Outcome = Object.freeze({
  code: 'busy',
  detail: 'The same request was decided at the same time; nothing was written.',
});
