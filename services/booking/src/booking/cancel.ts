import type { StoredBooking } from '#src/storage/bookings.ts';
import { lockStockAndCancelBooking } from '#src/storage/cancellations.ts';
import { CommitUnknownError, PostgresUnavailableError } from '#src/storage/failure.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { transact } from '#src/storage/transaction.ts';

import { settleCommit } from './commit.ts';

/**
 * Takes a booking back and frees its tickets, whichever strategy has made it. Nothing is locked in Redis: what is
 * being booked meanwhile gets to know of it as of any other change of the stock (see `writeStock`).
 *
 * @returns false if somebody else was faster, its hold has ended, or a reset has swept it away
 * @throws CommitUnknownError when the commit was sent, its answer lost, and Postgres cannot be asked what became of it
 */
export async function cancel(db: PooledDb, booking: StoredBooking, deadlineMs: number): Promise<boolean> {
  try {
    return await transact(db.until(deadlineMs), (trx) => lockStockAndCancelBooking(trx, booking));
  } catch (error) {
    if (!(error instanceof CommitUnknownError)) throw error;
    const standing = await settleCommit(db, { eventId: booking.eventId, deadlineMs }, [booking.bookingId]);
    if (standing === 'unknown') throw error;
    if (standing.size === 0) return true;
    throw new PostgresUnavailableError('the cancellation was lost before its commit', { cause: error });
  }
}
