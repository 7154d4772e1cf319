import { LockLostError } from '@lastseat/locking';
import type { Lease, Locks } from '@lastseat/locking';

import type { StrategyName } from '#src/contract.ts';
import { readStock, takeStockFenced } from '#src/storage/inventory.ts';
import { BOOKING_RESERVE_MS } from '#src/time-limits.ts';

import { commitBooking } from './commit.ts';
import { insertWithinTerms } from './insert-within-terms.ts';
import { holdRaceWindow } from './race-window.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, lockNameOf, lockWaitOf, SOLD_OUT } from './strategy.ts';
import type { BookingRequest, Outcome, StrategyDeps } from './strategy.ts';
import { underLease } from './under-lease.ts';

/**
 * A critical section whose writer proves that it is the latest holder.
 *
 * The token is larger for every later holder, and the event's row keeps the largest that has booked: a write with a
 * smaller one changes nothing. A fence knows of a newer holder only once that one has written, though; a late write
 * may still slip in between the newer holder's read and its write. That is why the write decides once more on the row
 * itself (`available >= quantity`, a decrement rather than a value): the lock keeps bookings in order and lets them
 * look before they leap, and Postgres has the last word.
 *
 * A refused token is never the end. The usual reason is a pause, and a new lease brings a larger token. The other is
 * that Redis lost its data while its clock was behind, so that all its tokens are too small: asking for one above
 * Postgres's fence re-seeds Redis, for everybody.
 */

/** Two pauses in a row are bad luck, more are an outage that the caller should hear of: in time, while there is enough left to book. */
const MAX_LEASES = 4;

interface FencedOut {
  code: 'fenced_out';
  fence: number;
}

export type FencedDeps = Pick<
  StrategyDeps,
  'db' | 'eventExists' | 'instanceId' | 'lockTtlMs' | 'lockWaitMs' | 'onReleaseFailed' | 'onRetry'
>;

export async function bookFenced(
  deps: FencedDeps,
  locks: Locks,
  strategy: StrategyName,
  request: BookingRequest,
): Promise<Outcome> {
  const { lockTtlMs: ttlMs, lockWaitMs, onReleaseFailed, onRetry } = deps;
  // A name that nobody has booked under costs Redis a key: strangers must not be able to make them up.
  if (!(await deps.eventExists(request.eventId))) return EVENT_NOT_FOUND;
  const startedAtMs = performance.now();
  let tokenAbove: number | undefined;
  let leases = 0;
  const lastMs = request.deadlineMs - BOOKING_RESERVE_MS;
  while (leases < MAX_LEASES && performance.now() <= lastMs) {
    leases += 1;
    const options = {
      ttlMs,
      // All waits together are no longer than one may be.
      waitMs: lockWaitOf(request, startedAtMs + lockWaitMs - performance.now()),
      signal: request.signal,
      onReleaseFailed,
      ...(tokenAbove === undefined ? {} : { tokenAbove }),
    };
    try {
      const outcome = await underLease(locks, lockNameOf(request.eventId), options, (lease) =>
        bookUnder(lease, deps, strategy, request),
      );
      if (outcome.code !== 'fenced_out') return outcome;
      tokenAbove = outcome.fence;
    } catch (error) {
      if (!(error instanceof LockLostError)) throw error;
    }
    onRetry(strategy);
  }
  return { code: 'busy', detail: `The lease was lost ${leases} times in a row; nothing was written.` };
}

async function bookUnder(
  lease: Lease,
  { db, instanceId }: FencedDeps,
  strategy: StrategyName,
  request: BookingRequest,
): Promise<Outcome | FencedOut> {
  const { arrivedAtMs, eventId, quantity } = request;
  const stock = await readStock(db.until(request.deadlineMs), eventId, arrivedAtMs);
  if (stock === undefined) return EVENT_NOT_FOUND;
  if (stock.isOfLaterEpoch) return CHANGED_MEANWHILE;
  if (stock.available < quantity) return SOLD_OUT;

  await holdRaceWindow(request);

  const { epoch } = stock;
  const { token } = lease;
  return commitBooking(db, request, async (trx): Promise<Outcome | FencedOut> => {
    const taken = await takeStockFenced(trx, { eventId, epoch, quantity, token });
    if (taken === undefined) {
      const now = await readStock(trx, eventId);
      if (now === undefined) return EVENT_NOT_FOUND;
      if (now.fence > token) return { code: 'fenced_out', fence: now.fence };
      return now.epoch === epoch ? SOLD_OUT : CHANGED_MEANWHILE;
    }
    const booking = { ...request, ...taken, epoch, strategy, instanceId, fencingToken: token };
    const booked = await insertWithinTerms(trx, booking);
    // The last thing before COMMIT. The fence would refuse us too, but only once our successor has booked.
    lease.assertHeld();
    return booked;
  });
}
