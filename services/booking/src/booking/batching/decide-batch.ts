import { setTimeout as sleep } from 'node:timers/promises';

import { LockLostError } from '@lastseat/locking';
import type { Lease } from '@lastseat/locking';

import { SETTLE_FOR_MS } from '#src/booking/commit.ts';
import { EVENT_NOT_FOUND, lockNameOf, SOLD_OUT } from '#src/booking/strategy.ts';
import type { BookingRequest, Outcome, StrategyDeps } from '#src/booking/strategy.ts';
import { findTokensOfBooked, lockStockAndRaiseFence, takeStockAndInsertAll } from '#src/storage/batches.ts';
import { CommitUnknownError, PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';
import { readStock } from '#src/storage/inventory.ts';
import type { Trx } from '#src/storage/schema.ts';
import { autocommit, transact } from '#src/storage/transaction.ts';

import { allocate } from './allocate.ts';

/**
 * Decides one batch under one lease.
 *
 * While stock lasts, one statement does it all: it takes the sum and inserts every row if everything fits, and does
 * nothing otherwise. Only when it did nothing is it worth knowing why; then a transaction locks the row, hands out
 * what is left in arrival order and refuses the rest.
 *
 * What makes a second attempt safe is the fence. Each attempt runs under a token of its own, larger than the last
 * one's; it locks the row and raises the fence *before* it looks for the ids of an attempt whose answer was lost. By
 * then that attempt has either committed, and is seen, or is refused for ever. Nothing is guessed, and nothing is
 * booked twice.
 */

/** A lost lease, a refused token and a lost answer may follow one another; more in a row is an outage. */
const MAX_ATTEMPTS = 6;

/** The pauses double; all of them together last about as long as a lost commit is looked for. */
const FIRST_PAUSE_MS = 50;

/** What an attempt found out. `refused` asks for another one, with a token above `fence`. */
type Attempt = { outcomes: Outcome[]; left?: { available: number; epoch: number } } | { fence: number };

export type BatchDeps = Pick<
  StrategyDeps,
  'db' | 'instanceId' | 'lockTtlMs' | 'onReleaseFailed' | 'onRetry'
> & {
  locks: StrategyDeps['queueLock'];
  /** Told of stock that did not suffice, as a read begun at `readStartedAtMs` found it. */
  onSoldOut(eventId: number, left: { available: number; epoch: number }, readStartedAtMs: number): void;
};

/**
 * @param take called once, as soon as the lock is held
 * @param waitUntilMs monotonic time by which the lock has to be obtained
 */
export async function decideBatch(
  deps: BatchDeps,
  eventId: number,
  take: () => readonly BookingRequest[],
  waitUntilMs: number,
): Promise<Outcome[]> {
  let batch: readonly BookingRequest[] | undefined;
  let tokenAbove: number | undefined;
  /** Whether an attempt was sent whose end nobody knows: then every request may have been booked. */
  let isUnknown = false;
  let giveUpAtMs = Number.POSITIVE_INFINITY;

  for (let attempt = 1; ; attempt += 1) {
    try {
      const lease = await deps.locks.acquire(lockNameOf(eventId), {
        ttlMs: deps.lockTtlMs,
        // Once requests are taken, the next attempt has to have a chance whatever the first has cost.
        waitMs: Math.max(batch === undefined ? 0 : deps.lockTtlMs, waitUntilMs - performance.now()),
        ...(tokenAbove === undefined ? {} : { tokenAbove }),
      });
      let result: Attempt;
      try {
        batch ??= take();
        result = await bookUnder(lease, deps, eventId, batch, { isFirst: attempt === 1, isUnknown });
      } finally {
        // Nobody waits for it: what is committed is committed, and the next batch stands in line behind it anyway.
        void lease.release().catch(deps.onReleaseFailed);
      }
      if ('outcomes' in result) return result.outcomes;
      tokenAbove = result.fence;
    } catch (error) {
      if (error instanceof CommitUnknownError) {
        isUnknown = true;
        giveUpAtMs = Math.min(giveUpAtMs, performance.now() + SETTLE_FOR_MS);
      } else if (!(error instanceof LockLostError) && !(isUnknown && isPostgresFailure(error))) {
        if (isUnknown && batch !== undefined) return batch.map(() => ({ code: 'unknown' }));
        throw error;
      }
    }
    if (attempt === MAX_ATTEMPTS || performance.now() > giveUpAtMs) break;
    deps.onRetry('batched-lock');
    // Jitter, for every replica has lost its connections at the same moment.
    if (isUnknown) await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
  }
  const end: Outcome = isUnknown
    ? { code: 'unknown' }
    : { code: 'busy', detail: `The lease was lost ${MAX_ATTEMPTS} times in a row; nothing was written.` };
  return (batch ?? take()).map(() => end);
}

function isPostgresFailure(error: unknown): boolean {
  return error instanceof PostgresUnavailableError || error instanceof PostgresBusyError;
}

async function bookUnder(
  lease: Lease,
  deps: BatchDeps,
  eventId: number,
  batch: readonly BookingRequest[],
  { isFirst, isUnknown }: { isFirst: boolean; isUnknown: boolean },
): Promise<Attempt> {
  if (batch.length === 0) return { outcomes: [] };
  const isRaceWanted = batch.some(({ raceWindowMs }) => raceWindowMs > 0);
  if (isFirst && !isRaceWanted && (await bookAll(deps, eventId, lease, batch))) {
    return { outcomes: batch.map((): Outcome => ({ code: 'booked', fencingToken: lease.token })) };
  }
  const readStartedAtMs = performance.now();
  const decided = await transact(deps.db, (trx) => bookWhatFits(trx, deps, eventId, lease, batch, isUnknown));
  if ('left' in decided) deps.onSoldOut(eventId, decided.left, readStartedAtMs);
  return decided;
}

async function bookAll(
  { db, instanceId }: BatchDeps,
  eventId: number,
  lease: Lease,
  bookings: readonly BookingRequest[],
): Promise<boolean> {
  lease.assertHeld();
  const { token } = lease;
  return autocommit(db, (db) =>
    takeStockAndInsertAll(db, { eventId, token, strategy: 'batched-lock', instanceId, bookings }),
  );
}

async function bookWhatFits(
  trx: Trx,
  { instanceId }: BatchDeps,
  eventId: number,
  lease: Lease,
  batch: readonly BookingRequest[],
  mayBeBooked: boolean,
): Promise<Attempt> {
  const { token } = lease;
  const stock = await lockStockAndRaiseFence(trx, { eventId, token });
  if (stock === undefined) {
    const now = await readStock(trx, eventId);
    return now === undefined ? { outcomes: batch.map(() => EVENT_NOT_FOUND) } : { fence: now.fence };
  }
  const already = mayBeBooked
    ? await findTokensOfBooked(
        trx,
        batch.map(({ bookingId }) => bookingId),
      )
    : new Map<string, number>();
  const open = batch.filter(({ bookingId }) => !already.has(bookingId));

  const granted = allocate(
    stock.available,
    open.map(({ quantity }) => quantity),
  );
  const bookings = open.filter((_, i) => granted[i]);
  // One request's window is everybody's here, and no single one's absence may end it.
  const raceWindowMs = Math.max(...batch.map((request) => request.raceWindowMs));
  if (raceWindowMs > 0) await sleep(raceWindowMs);

  if (bookings.length > 0) {
    // The row is ours and the rest of it decided: this can only fail if the code above is wrong.
    const booked = await takeStockAndInsertAll(trx, {
      eventId,
      token,
      strategy: 'batched-lock',
      instanceId,
      bookings,
    });
    if (!booked) throw new Error(`the batch of event ${eventId} did not fit the stock that it was cut to`);
  }
  // The last thing before COMMIT. The fence would refuse us too, but only once our successor has booked.
  lease.assertHeld();

  const tokens = new Map<string, number>([
    ...already,
    ...bookings.map(({ bookingId }) => [bookingId, token] as const),
  ]);
  const outcomes = batch.map(({ bookingId }): Outcome => {
    const fencingToken = tokens.get(bookingId);
    return fencingToken === undefined ? SOLD_OUT : { code: 'booked', fencingToken };
  });
  if (bookings.length === open.length) return { outcomes };
  const taken = bookings.reduce((sum, { quantity }) => sum + quantity, 0);
  return { outcomes, left: { available: stock.available - taken, epoch: stock.epoch } };
}
