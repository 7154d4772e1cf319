import { findBooking, type StoredBooking } from '#src/storage/bookings.ts';
import { eventHonoursLatePayment } from '#src/storage/events.ts';
import { CommitUnknownError } from '#src/storage/failure.ts';
import { confirmHold, extendHold, lockStockAndConfirmLate } from '#src/storage/holds.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';

import { cancel } from './cancel.ts';

/**
 * What becomes of a hold: it is confirmed, extended or given up, or it ends by itself.
 *
 * Each step compares and sets in one statement; what it did not do is explained by a look at the booking afterwards. To
 * confirm what is confirmed is to have it confirmed. So a step whose answer was lost is looked for in the same way, and
 * made again if the hold still stands. Once a step may have been made, nobody is told that nothing was written: also not
 * where Postgres goes away between the step and the look.
 */
export type HoldOutcome =
  | { code: 'done'; booking: StoredBooking }
  | { code: 'booking_not_found' }
  /** Its time is over. */
  | { code: 'hold_expired'; booking: StoredBooking }
  /** It was confirmed or cancelled before. */
  | { code: 'not_held'; booking: StoredBooking }
  /** It is not what the change was meant for. */
  | { code: 'changed_meanwhile'; booking: StoredBooking }
  /** From its beginning to its end it would last longer than a hold may. */
  | { code: 'hold_too_long'; booking: StoredBooking };

/** A hold that stands after a step that found none: it was extended at the same time, or an answer was lost. */
const MAX_ATTEMPTS = 5;

export async function confirm(db: PooledDb, bookingId: string, deadlineMs: number): Promise<HoldOutcome> {
  const until = db.until(deadlineMs);
  return untilDecided(db, bookingId, deadlineMs, async () => {
    const isDone = await autocommit(until, (db) => confirmHold(db, bookingId));
    const booking = await lookAfter(isDone, () => findBooking(until, bookingId));
    if (booking === undefined) return { code: 'booking_not_found' };
    if (booking.state === 'confirmed') return { code: 'done', booking };
    if (booking.state === 'cancelled') return { code: 'not_held', booking };
    if (booking.state === 'held') return 'again';
    const { eventId } = booking;
    if (!(await eventHonoursLatePayment(until, eventId))) return { code: 'hold_expired', booking };
    const isConfirmed = await transact(until, (trx) => lockStockAndConfirmLate(trx, { bookingId, eventId }));
    return isConfirmed ? 'again' : { code: 'hold_expired', booking };
  });
}

/** @param extension.isExpected asked of the hold that is to be extended, which then must not have been extended since */
export async function extend(
  db: PooledDb,
  extension: {
    bookingId: string;
    seconds: number;
    maxS: number;
    isExpected?: ((booking: StoredBooking) => boolean) | undefined;
  },
  deadlineMs: number,
): Promise<HoldOutcome> {
  const { bookingId, isExpected } = extension;
  const until = db.until(deadlineMs);
  return untilDecided(db, bookingId, deadlineMs, async () => {
    const before = isExpected && (await findBooking(until, bookingId));
    if (before !== undefined && isExpected?.(before) === false)
      return { code: 'changed_meanwhile', booking: before };
    const endsAt = before?.expiresAt ?? null;
    const extended = await autocommit(until, (db) => extendHold(db, { ...extension, endsAt }));
    const booking = await lookAfter(extended === 'extended', () => findBooking(until, bookingId));
    if (booking === undefined) return { code: 'booking_not_found' };
    if (booking.state === 'expired') return { code: 'hold_expired', booking };
    if (booking.state !== 'held') return { code: 'not_held', booking };
    if (extended === 'too_long') return { code: 'hold_too_long', booking };
    return extended === 'no_hold' ? 'again' : { code: 'done', booking };
  });
}

/** Its tickets are free again. */
export async function giveUp(db: PooledDb, bookingId: string, deadlineMs: number): Promise<HoldOutcome> {
  const booking = await findBooking(db.until(deadlineMs), bookingId);
  if (booking === undefined) return { code: 'booking_not_found' };
  if (booking.state === 'held' && (await cancel(db, booking, deadlineMs))) {
    return { code: 'done', booking: { ...booking, state: 'cancelled' } };
  }
  const now = (await findBooking(db.until(deadlineMs), bookingId)) ?? booking;
  return { code: now.state === 'expired' ? 'hold_expired' : 'not_held', booking: now };
}

async function untilDecided(
  db: PooledDb,
  bookingId: string,
  deadlineMs: number,
  attempt: () => Promise<HoldOutcome | 'again'>,
): Promise<HoldOutcome> {
  let lost: unknown;
  for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts += 1) {
    try {
      const outcome = await attempt();
      // It may be the lost attempt that has changed it.
      if (lost !== undefined && outcome !== 'again' && outcome.code === 'changed_meanwhile') throw lost;
      if (outcome !== 'again') return outcome;
    } catch (error) {
      if (attempts === 1 && !(error instanceof CommitUnknownError)) throw error;
      lost = asUnknown(error);
      if (attempts === MAX_ATTEMPTS) throw lost;
    }
  }
  if (lost !== undefined) throw lost;
  // Its row says that it stands, and its tickets are gone: somebody has ended it by a clock that was set back since.
  const booking = await findBooking(db.until(deadlineMs), bookingId);
  return booking === undefined ? { code: 'booking_not_found' } : { code: 'hold_expired', booking };
}

async function lookAfter<T>(isDone: boolean, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    throw isDone ? asUnknown(error) : error;
  }
}

function asUnknown(error: unknown): CommitUnknownError {
  if (error instanceof CommitUnknownError) return error;
  return new CommitUnknownError('it may have been made, and could not be looked for', { cause: error });
}
