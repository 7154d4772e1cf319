import { setTimeout as sleep } from 'node:timers/promises';

import { LockLostError, LockTimeoutError } from '@lastseat/locking';
import type { Lease, Locks } from '@lastseat/locking';

import { SETTLE_FOR_MS } from '#src/booking/commit.ts';
import { EVENT_NOT_FOUND, lockNameOf } from '#src/booking/strategy.ts';
import type { StrategyDeps } from '#src/booking/strategy.ts';
import { findTokensOfBooked, lockStockAndRaiseFence, takeStockAndInsertAll } from '#src/storage/batches.ts';
import {
  CommitUnknownError,
  KeyTakenError,
  PostgresBusyError,
  PostgresUnavailableError,
} from '#src/storage/failure.ts';
import { readStock } from '#src/storage/inventory.ts';
import type { Trx } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';

import { allocate } from './allocate.ts';
import type { BookTogether } from './book-together.ts';
import { failWith, giveUp, type Pending, type Verdict } from './pending.ts';

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
type Attempt = { verdicts: Verdict[] } | { fence: number };

export type BatchDeps = Pick<StrategyDeps, 'db' | 'lockTtlMs' | 'onReleaseFailed' | 'onRetry'> & {
  locks: Pick<Locks, 'acquire'>;
  bookTogether: BookTogether;
};

/**
 * @param take called once, as soon as the lock is held; told the grant that the batch is going to be booked under
 * @param waitUntilMs monotonic time until which the lock is waited for; undefined: it is only tried
 * @returns the grant of whoever holds the lock, if it was only tried; '' if that is not known
 * @throws LockTimeoutError, LockUnavailableError: the lock was not obtained, and nothing taken
 */
export async function decideBatch(
  deps: BatchDeps,
  eventId: number,
  take: (grant: string) => readonly Pending[],
  waitUntilMs: number | undefined,
): Promise<string | undefined> {
  const { locks, lockTtlMs: ttlMs } = deps;
  const waitMs = waitUntilMs === undefined ? 0 : Math.max(0, waitUntilMs - performance.now());
  let lease: Lease;
  try {
    lease = await locks.acquire(lockNameOf(eventId), { ttlMs, waitMs });
  } catch (error) {
    if (waitUntilMs === undefined && error instanceof LockTimeoutError) return error.holder ?? '';
    throw error;
  }
  await bookTaken(deps, eventId, lease, take(lease.holder));
  return undefined;
}

/** Books the batch under the lease, and what is left of it under new ones if need be; settles all of it. */
async function bookTaken(
  deps: BatchDeps,
  eventId: number,
  firstLease: Lease,
  taken: readonly Pending[],
): Promise<void> {
  let lease: Lease | undefined = firstLease;
  let batch = taken;
  let tokenAbove: number | undefined;
  let giveUpAtMs = Number.POSITIVE_INFINITY;

  for (let attempt = 1; ; attempt += 1) {
    try {
      lease ??= await deps.locks.acquire(lockNameOf(eventId), {
        ttlMs: deps.lockTtlMs,
        waitMs: Math.max(0, giveUpAtMs - performance.now()),
        ...(tokenAbove === undefined ? {} : { tokenAbove }),
      });
      const result = await bookUnder(lease, deps, eventId, batch, attempt === 1);
      if ('verdicts' in result) {
        settleLater(batch, result.verdicts);
        return;
      }
      tokenAbove = result.fence;
    } catch (error) {
      if (error instanceof CommitUnknownError) for (const pending of batch) pending.mayBeBooked = true;
      const isWorthAnother =
        error instanceof CommitUnknownError ||
        error instanceof LockLostError ||
        (isPostgresFailure(error) && batch.some(({ mayBeBooked }) => mayBeBooked));
      if (!isWorthAnother) {
        for (const pending of batch) failWith(pending, error);
        return;
      }
    }
    lease = undefined;
    batch = keepOwn(batch);
    giveUpAtMs = Math.min(giveUpAtMs, performance.now() + SETTLE_FOR_MS);
    if (batch.length === 0) return;
    if (attempt === MAX_ATTEMPTS || performance.now() > giveUpAtMs) break;
    deps.onRetry('batched-lock');
    // Jitter, for every replica has lost its connections at the same moment.
    if (batch.some(({ mayBeBooked }) => mayBeBooked))
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
  }
  for (const pending of batch)
    giveUp(pending, 'The lease was lost several times in a row; nothing was written.');
}

/**
 * Not now: telling a crowd takes longer than sending the next batch, for which Postgres waits. (With 64 connections to
 * two replicas it makes a tenth more bookings a second.)
 */
function settleLater(batch: readonly Pending[], verdicts: readonly Verdict[]): void {
  setImmediate(() => {
    for (const [i, pending] of batch.entries()) pending.settle(verdicts[i] as Verdict);
  });
}

/** What other replicas have asked for they have asked for under that one grant: from here on it is their business. */
function keepOwn(batch: readonly Pending[]): readonly Pending[] {
  for (const { grant, settle } of batch) if (grant !== undefined) settle({ code: 'unsettled' });
  return batch.filter(({ grant }) => grant === undefined);
}

function isPostgresFailure(error: unknown): boolean {
  return error instanceof PostgresUnavailableError || error instanceof PostgresBusyError;
}

/** One attempt. The lease ends with it, whatever it came to. */
async function bookUnder(
  lease: Lease,
  deps: BatchDeps,
  eventId: number,
  batch: readonly Pending[],
  isFirst: boolean,
): Promise<Attempt> {
  try {
    if (batch.length === 0) return { verdicts: [] };
    const isSimple = batch.every(({ request, mayBeBooked }) => request.raceWindowMs === 0 && !mayBeBooked);
    if (isFirst && isSimple && (await bookAll(deps, eventId, lease, batch))) {
      return { verdicts: batch.map((): Verdict => ({ code: 'booked', fencingToken: lease.token })) };
    }
    const decided = await transact(deps.db, (trx) => bookWhatFits(trx, eventId, lease, batch));
    // Somebody has had the lock since: then Redis knows, and we must not go on under what we take to be ours.
    if ('fence' in decided) await lease.extend();
    return decided;
  } finally {
    // Nobody waits for it: what is committed is committed, and the next batch stands in line behind it anyway.
    void lease.release().catch(deps.onReleaseFailed);
  }
}

/** @returns false if it did nothing, for a reason that is worth looking into */
async function bookAll(
  { bookTogether }: BatchDeps,
  eventId: number,
  lease: Lease,
  batch: readonly Pending[],
): Promise<boolean> {
  const bookings = batch.map(rowOf);
  try {
    return await bookTogether(lease, { eventId, token: lease.token, strategy: 'batched-lock', bookings });
  } catch (error) {
    if (!(error instanceof KeyTakenError)) throw error;
    // Another replica's question reached us again, after it was answered.
    for (const pending of batch) pending.mayBeBooked = true;
    return false;
  }
}

function rowOf({ request, instanceId }: Pending) {
  return { ...request, instanceId };
}

async function bookWhatFits(
  trx: Trx,
  eventId: number,
  lease: Lease,
  batch: readonly Pending[],
): Promise<Attempt> {
  const { token } = lease;
  const stock = await lockStockAndRaiseFence(trx, { eventId, token });
  if (stock === undefined) {
    const now = await readStock(trx, eventId);
    return now === undefined ? { verdicts: batch.map(() => EVENT_NOT_FOUND) } : { fence: now.fence };
  }
  const uncertain = batch.filter(({ mayBeBooked }) => mayBeBooked).map(({ request }) => request.bookingId);
  const already = uncertain.length > 0 ? await findTokensOfBooked(trx, uncertain) : new Map<string, number>();
  const open = batch.filter(({ request }) => !already.has(request.bookingId));

  const granted = allocate(
    stock.available,
    open.map(({ request }) => request.quantity),
  );
  const bookings = open.filter((_, i) => granted[i]).map(rowOf);
  // One request's window is everybody's here, and no single one's absence may end it.
  const raceWindowMs = Math.max(...batch.map(({ request }) => request.raceWindowMs));
  if (raceWindowMs > 0) await sleep(raceWindowMs);

  if (bookings.length > 0) {
    // The row is ours and the rest of it decided: this can only fail if the code above is wrong.
    const booked = await takeStockAndInsertAll(trx, {
      eventId,
      token,
      strategy: 'batched-lock',
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
  const taken = bookings.reduce((sum, { quantity }) => sum + quantity, 0);
  const left = { available: stock.available - taken, epoch: stock.epoch };
  const verdicts = batch.map(({ request }): Verdict => {
    const fencingToken = tokens.get(request.bookingId);
    return fencingToken === undefined ? { code: 'sold_out', left } : { code: 'booked', fencingToken };
  });
  return { verdicts };
}
