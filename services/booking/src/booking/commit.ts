import { setTimeout as sleep } from 'node:timers/promises';

import type { IsolationLevel } from 'kysely';

import { findBookedIds } from '#src/storage/bookings.ts';
import { CommitUnknownError } from '#src/storage/failure.ts';
import { lockStock } from '#src/storage/inventory.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Db, Trx } from '#src/storage/schema.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';
import { SETTLE_FOR_MS } from '#src/time-limits.ts';

import { RefusedError } from './insert-within-terms.ts';
import type { BookingRequest, Outcome } from './strategy.ts';

/**
 * The end of a booking: commit, and if the connection is lost during COMMIT, find out what became of it. The strategy
 * waits for the verdict inside its guard, so that the next holder never reads a stock that is still being decided.
 */

const FIRST_PAUSE_MS = 50;

/** Runs `body` in a transaction; its outcome is the booking's once the commit is known. */
export async function commitBooking<T extends { code: string }>(
  db: PooledDb,
  request: Pick<BookingRequest, 'bookingId' | 'eventId' | 'deadlineMs'>,
  body: (trx: Trx) => Promise<T>,
  options: { isolation?: IsolationLevel } = {},
): Promise<T | Outcome> {
  let decided: T | undefined;
  try {
    return await transact(
      db.until(request.deadlineMs),
      async (trx) => {
        decided = await body(trx);
        return decided;
      },
      options,
    );
  } catch (error) {
    if (error instanceof RefusedError) return error.outcome;
    if (!(error instanceof CommitUnknownError) || decided === undefined) throw error;
    // A refusal has written nothing, so there was nothing to lose.
    if (decided.code !== 'booked') return decided;
    const booked = await settleCommit(db, request, [request.bookingId]);
    if (booked === 'unknown') return { code: 'unknown', cause: error };
    if (booked.has(request.bookingId)) return decided;
    return {
      code: 'unavailable',
      detail: 'Postgres lost the booking before it was committed; nothing was written.',
      cause: error,
    };
  }
}

/**
 * Runs one statement that books and commits by itself. If its answer is lost, a booking that is found is booked; one
 * that is not found stays unknown, because a statement without a transaction may reach the server after the look-up.
 */
export async function commitStatement<T>(
  db: PooledDb,
  request: Pick<BookingRequest, 'bookingId' | 'deadlineMs'>,
  statement: (db: Db) => Promise<T>,
): Promise<T | 'booked' | { code: 'unknown'; cause: unknown }> {
  try {
    return await autocommit(db.until(request.deadlineMs), statement);
  } catch (error) {
    if (!(error instanceof CommitUnknownError)) throw error;
    const booked = await untilAnswered(db, request, (db) => findBookedIds(db, [request.bookingId]));
    const isFound = booked !== 'unknown' && booked.has(request.bookingId);
    return isFound ? 'booked' : { code: 'unknown', cause: error };
  }
}

/**
 * Which of the ids a lost transaction has booked, or `unknown` if Postgres cannot be asked in time. The lost
 * transaction changed the event's row and holds it until it ends; taking that row first makes sure that it has ended,
 * so that an id which is not there will never be there.
 */
export function settleCommit(
  db: PooledDb,
  request: Pick<BookingRequest, 'eventId' | 'deadlineMs'>,
  ids: readonly string[],
): Promise<Set<string> | 'unknown'> {
  return untilAnswered(db, request, (db) =>
    transact(db, async (trx) => {
      await lockStock(trx, request.eventId);
      return findBookedIds(trx, ids);
    }),
  );
}

async function untilAnswered<T>(
  db: PooledDb,
  { deadlineMs }: Pick<BookingRequest, 'deadlineMs'>,
  look: (db: Db) => Promise<T>,
): Promise<T | 'unknown'> {
  const giveUpAtMs = Math.min(deadlineMs, performance.now() + SETTLE_FOR_MS);
  for (let pauseMs = FIRST_PAUSE_MS; performance.now() < giveUpAtMs; pauseMs *= 2) {
    try {
      return await look(db.until(giveUpAtMs));
    } catch {
      // Jitter, for every replica has lost its connections at the same moment.
      await sleep(pauseMs * (0.5 + Math.random() / 2));
    }
  }
  return 'unknown';
}
