import { setTimeout as sleep } from 'node:timers/promises';

import { LockError, LockLostError } from '@lastseat/locking';

import { holdRaceWindow } from '#src/booking/race-window.ts';
import { inTraceOf } from '#src/booking/request-trace.ts';
import { createAllowances, refusalByTerms } from '#src/booking/sale-terms.ts';
import { CHANGED_MEANWHILE, EVENT_NOT_FOUND, SOLD_OUT } from '#src/booking/strategy.ts';
import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';
import type { StrategyName } from '#src/contract.ts';
import {
  findArrivalsBeforeEpoch,
  raiseFence,
  takeStockAndInsertAll,
  type Batch,
  type BatchResult,
} from '#src/storage/batches.ts';
import { countTicketsOfCustomers } from '#src/storage/customer-tickets.ts';
import {
  CommitUnknownError,
  KeyTakenError,
  PostgresBusyError,
  PostgresUnavailableError,
} from '#src/storage/failure.ts';
import { findFirstBookings, firstIn, namesOf } from '#src/storage/first-bookings.ts';
import { endOfHoldMadeAt } from '#src/storage/holds.ts';
import { lockStock, readStock, type Stock } from '#src/storage/inventory.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Trx } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';
import { SETTLE_FOR_MS } from '#src/time-limits.ts';

import { allocate } from './allocate.ts';
import type { BookTogether } from './book-together.ts';
import { failWith, giveUp, type Pending } from './pending.ts';
import type { RowWaits } from './row-waits.ts';

/**
 * Decides one batch.
 *
 * While stock lasts, one statement does it all: it takes the sum and inserts every row if everything fits, and does
 * nothing otherwise. If it found fewer tickets than anyone asked for, or that the event is not on sale, that was a refusal
 * for all of them, and no row was locked. Only if some of them may still fit, a transaction locks the row, hands out what
 * is left in arrival order and refuses the rest. Where the event limits what each customer has, the statement counts that
 * too; those that it refuses are left out of a second one, and if somebody else has booked meanwhile, the transaction
 * counts under the row's lock.
 *
 * After a lost answer the requests are in doubt, and every further attempt looks for them first, while it holds the
 * row. One that is found is booked. One that is not found can be booked again: its key is unique, so that only one of the
 * two attempts can ever commit. What remains is a request that is not found and for which no tickets are left. It is
 * refused for good if the lost attempt can book nothing any more: because the fence has been raised above its token, or
 * because one of those that it was to write is booked. Otherwise its statement may still reach the server, when
 * tickets may have come back: the request is unknown.
 *
 * If Postgres finds a key taken, one of the requests has been sent twice, or its idempotency key has, and either of the
 * two has booked: then all of them are looked for.
 */

/** A lost lease, a refused token and a lost answer may follow one another; more in a row is an outage. */
const MAX_ATTEMPTS = 6;

/** The pauses double; all of them together last about as long as a lost commit is looked for. */
const FIRST_PAUSE_MS = 50;

/** What a batch is booked under. Each attempt has its own. */
export interface Guard {
  /** Larger for every later one; null where no lock gives one. */
  readonly token: number | null;
  /** The last look before a statement that commits. @throws LockLostError */
  assertHeld(): void;
  /** Postgres has seen a larger token: whoever gave this one had better learn of it. */
  refused(): Promise<void>;
  /** It ends with its attempt, whatever that came to. Waits for nothing. */
  release(): void;
}

export interface BatchDeps {
  db: PooledDb;
  strategy: StrategyName;
  instanceId: string;
  bookTogether: BookTogether;
  rowWaits: RowWaits;
  onRetry: (strategy: StrategyName) => void;
  onBatch?: ((strategy: StrategyName, size: number) => void) | undefined;
}

export interface BatchOptions {
  eventId: number;
  /** What the first attempt is made under. */
  guard: Guard;
  /** A guard for a further attempt, with a token above the one that Postgres has seen. Rejects if there is none in time. */
  nextGuard: (options: { waitMs: number; tokenAbove: number | undefined }) => Promise<Guard>;
  /** Takes the batch; called once, when it is about to be sent. */
  take: () => readonly Pending[];
}

/** What becomes of one: a booking of the same request stands, or an outcome. */
type Decision = Outcome | KeyTakenError;

/** An attempt has decided them all, or Postgres has seen a larger token. */
type Attempt = { decisions: readonly Decision[] } | { fence: number };

/** Takes a batch and settles all of it. Never rejects. */
export async function decideBatch(deps: BatchDeps, options: BatchOptions): Promise<void> {
  const { eventId, nextGuard } = options;
  let guard: Guard | undefined = options.guard;
  let taken: readonly Pending[] | undefined;
  const take = () => {
    if (taken !== undefined) return taken;
    taken = options.take();
    deps.onBatch?.(deps.strategy, taken.length);
    return taken;
  };
  let tokenAbove: number | undefined;
  let isKeyTaken = false;
  let giveUpAtMs = Number.POSITIVE_INFINITY;
  let lastError: unknown;

  for (let attempt = 1; ; attempt += 1) {
    let result: Attempt | { error: unknown };
    try {
      guard ??= await nextGuard({ waitMs: Math.max(0, giveUpAtMs - performance.now()), tokenAbove });
      result =
        taken === undefined
          ? await bookAtOnce(guard, deps, eventId, take)
          : await bookUnderRowLock(guard, deps, eventId, taken, isKeyTaken);
    } catch (error) {
      result = { error };
    } finally {
      guard?.release();
      guard = undefined;
    }
    const batch = take();
    if ('decisions' in result) {
      settleLater(batch, result.decisions);
      return;
    }
    if ('fence' in result) {
      tokenAbove = result.fence;
    } else {
      const { error } = result;
      lastError = error;
      const isOver = error instanceof KeyTakenError ? isKeyTaken : !isWorthAnother(error, batch);
      if (error instanceof KeyTakenError) isKeyTaken = true;
      if (error instanceof CommitUnknownError) for (const pending of batch) pending.isInDoubt = true;
      if (isOver) {
        await failBatch(deps, options, batch, error);
        return;
      }
    }
    giveUpAtMs = Math.min(giveUpAtMs, deadlineOf(batch), performance.now() + SETTLE_FOR_MS);
    if (attempt === MAX_ATTEMPTS || performance.now() > giveUpAtMs) break;
    deps.onRetry(deps.strategy);
    // Jitter, for every replica has lost its connections at the same moment.
    if (batch.some(({ isInDoubt }) => isInDoubt))
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
  }
  const detail = 'It could not be decided in time; nothing was written.';
  for (const pending of take()) giveUp(pending, detail, lastError);
}

function isWorthAnother(error: unknown, batch: readonly Pending[]): boolean {
  if (error instanceof CommitUnknownError || error instanceof LockLostError) return true;
  return isPostgresFailure(error) && batch.some(({ isInDoubt }) => isInDoubt);
}

/** If Postgres has refused one row, and with it the batch, the others are not to suffer for it. */
async function failBatch(
  deps: BatchDeps,
  { eventId, nextGuard }: BatchOptions,
  batch: readonly Pending[],
  error: unknown,
): Promise<void> {
  const mayBeOneRow = !isPostgresFailure(error) && !(error instanceof LockError);
  if (batch.length === 1 || !mayBeOneRow) {
    for (const pending of batch) {
      // It was looked for and not found: what took its key is another booking.
      if (error instanceof KeyTakenError) pending.fail(error);
      else failWith(pending, error);
    }
    return;
  }
  const middle = Math.ceil(batch.length / 2);
  for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
    try {
      const guard = await nextGuard({ waitMs: waitFor(half), tokenAbove: undefined });
      await decideBatch(deps, { eventId, guard, nextGuard, take: () => half });
    } catch (cause) {
      for (const pending of half) failWith(pending, cause);
    }
  }
}

/** What is begun for all of them ends with the time of the first one; all have enough of it left when they are taken. */
function deadlineOf(batch: readonly Pending[]): number {
  return Math.min(...batch.map(({ request }) => request.deadlineMs));
}

function waitFor(batch: readonly Pending[]): number {
  return Math.max(0, Math.min(SETTLE_FOR_MS, deadlineOf(batch) - performance.now()));
}

function isPostgresFailure(error: unknown): boolean {
  return error instanceof PostgresUnavailableError || error instanceof PostgresBusyError;
}

/**
 * Not now: telling many buyers takes longer than sending the next batch, for which Postgres waits. (With 64 connections
 * to two replicas it makes a tenth more bookings a second.)
 */
function settleLater(batch: readonly Pending[], decisions: readonly Decision[]): void {
  setImmediate(() => {
    for (const [i, pending] of batch.entries()) {
      const decision = decisions[i] as Decision;
      if (decision instanceof KeyTakenError) pending.fail(decision);
      else pending.settle(decision);
    }
  });
}

/** The first attempt: one statement, which also tells if there is nothing left. */
async function bookAtOnce(
  guard: Guard,
  deps: BatchDeps,
  eventId: number,
  take: () => readonly Pending[],
): Promise<Attempt> {
  const book = (takeSome: () => readonly Pending[]) =>
    deps.bookTogether({
      eventId,
      make() {
        guard.assertHeld();
        const batch = takeSome();
        const isSimple = batch.every(({ request, isInDoubt }) => request.raceWindowMs === 0 && !isInDoubt);
        if (batch.length === 0 || !isSimple) return undefined;
        const requests = batch.map(({ request }) => request);
        return { batch: batchOf(deps, eventId, guard, batch), deadlineMs: deadlineOf(batch), requests };
      },
    });
  const result = await book(take);
  const batch = take();
  if (batch.length === 0) return { decisions: [] };
  const outcomes = result && outcomesOf(result, guard, batch);
  if (outcomes !== undefined && isWhole(outcomes)) return { decisions: outcomes };

  // Customers have had enough. The refusals stand if the others are booked, for they have counted on it.
  const others = batch.filter((_, i) => outcomes?.[i] === undefined);
  if (outcomes !== undefined && result?.tickets !== undefined && others.length < batch.length) {
    const second = await book(() => others);
    if (second?.isBooked) {
      const ofOthers = outcomesOf(second, guard, others).values();
      return { decisions: outcomes.map((outcome) => outcome ?? (ofOthers.next().value as Outcome)) };
    }
  }
  return bookUnderRowLock(guard, deps, eventId, batch, false);
}

const isWhole = (outcomes: readonly (Outcome | undefined)[]): outcomes is readonly Outcome[] =>
  outcomes.every((outcome) => outcome !== undefined);

/** What is decided; undefined for those that may still fit, or whose token was refused. */
function outcomesOf(
  result: BatchResult,
  { token }: Guard,
  batch: readonly Pending[],
): (Outcome | undefined)[] {
  const { terms = null, tickets } = result;
  const maxPerCustomer = terms?.maxPerCustomer ?? null;
  const allowances =
    maxPerCustomer === null || tickets === undefined ? undefined : createAllowances(maxPerCustomer, tickets);
  if (result.isBooked) {
    return batch.map(({ request }) => {
      const allowanceLeft = allowances?.take(request);
      const booked = bookedAt(result, request, token);
      return typeof allowanceLeft === 'number' ? { ...booked, allowanceLeft } : booked;
    });
  }
  const { available } = result;
  if (available === undefined) return batch.map(() => EVENT_NOT_FOUND);
  return batch.map(({ request }) => {
    const refusal = refusalByTerms(terms, request) ?? (request.quantity > available ? SOLD_OUT : undefined);
    const taken = refusal ?? allowances?.take(request);
    return typeof taken === 'object' ? taken : undefined;
  });
}

function batchOf(
  { strategy, instanceId }: BatchDeps,
  eventId: number,
  { token }: Guard,
  batch: readonly Pending[],
): Batch {
  const bookings = batch.map(({ request }) => request);
  return { eventId, strategy, instanceId, token, arrivedAtMs: oldestArrivalOf(batch), bookings };
}

function oldestArrivalOf(batch: readonly Pending[]): number {
  return Math.min(...batch.map(({ request }) => request.arrivedAtMs));
}

async function bookUnderRowLock(
  guard: Guard,
  deps: BatchDeps,
  eventId: number,
  batch: readonly Pending[],
  isKeyTaken: boolean,
): Promise<Attempt> {
  const db = deps.db.until(deadlineOf(batch));
  const untilMs = Math.min(...batch.map(({ deadlineMs }) => deadlineMs));
  const requests = batch.map(({ request }) => request);
  const attempt = await inTraceOf(requests, 'last of the stock', () =>
    deps.rowWaits.untilFree(untilMs, (mayWait) =>
      transact(db, (trx) => bookWhatFits(trx, guard, deps, eventId, { batch, isKeyTaken, mayWait })),
    ),
  );
  if ('fence' in attempt) await guard.refused();
  return attempt;
}

async function bookWhatFits(
  trx: Trx,
  guard: Guard,
  deps: BatchDeps,
  eventId: number,
  { batch, isKeyTaken, mayWait }: { batch: readonly Pending[]; isKeyTaken: boolean; mayWait: boolean },
): Promise<Attempt | 'locked'> {
  const { token } = guard;
  const stock = await lockStock(trx, eventId, { mayWait, arrivedAtMs: oldestArrivalOf(batch) });
  if (stock === undefined) {
    const isThere = (await readStock(trx, eventId)) !== undefined;
    return isThere ? 'locked' : { decisions: batch.map(() => EVENT_NOT_FOUND) };
  }
  if (token !== null) {
    if (stock.fence > token) return { fence: stock.fence };
    await raiseFence(trx, { eventId, token });
  }
  const inDoubt = batch.filter(({ isInDoubt }) => isInDoubt || isKeyTaken).map(({ request }) => request);
  const booked = new Map<string, Booked>();
  for (const [name, first] of inDoubt.length > 0 ? await findFirstBookings(trx, inDoubt) : [])
    booked.set(name, { ...first.booking, expiresAt: first.booking.firstExpiresAt });
  const isTooOld = stock.isOfLaterEpoch ? await findTooOld(trx, eventId, batch) : () => false;
  const open = withoutRepeats(batch).filter(
    (pending) => firstIn(booked, pending.request) === undefined && !isTooOld(pending),
  );

  const allowed = await askTerms(trx, eventId, stock, open);
  const granted = allocate(
    stock.available,
    open.map(({ request }) => request.quantity),
    (index) => allowed.take(open[index] as Pending),
  );
  const toBook = open.filter((_, i) => granted[i]);
  // One request's window is everybody's here, and no single one's absence may end it.
  const raceWindowMs = Math.max(...batch.map(({ request }) => request.raceWindowMs));
  await holdRaceWindow({ raceWindowMs, deadlineMs: deadlineOf(batch) }, trx);

  if (toBook.length > 0) {
    const rest = { ...batchOf(deps, eventId, guard, toBook), arrivedAtMs: undefined };
    const bookings = toBook.map(({ request }) => ({
      ...request,
      allowanceLeft: allowed.leftOf(request) ?? null,
    }));
    const result = await takeStockAndInsertAll(trx, { ...rest, bookings }, { areTermsKept: true });
    // The row is ours and the rest of it decided: this can only fail if the code above is wrong.
    if (!result.isBooked)
      throw new Error(`the batch of event ${eventId} did not fit the stock that it was cut to`);
    for (const { request } of toBook)
      for (const name of namesOf(request))
        booked.set(name, {
          ...request,
          ...bookedAt(result, request, token),
          allowanceLeft: allowed.leftOf(request),
        });
  }
  // The last thing before COMMIT. The fence would refuse us too, but only once our successor has booked.
  guard.assertHeld();

  const isLostAttemptOver = token !== null || booked.size > 0;
  const decisions = batch.map((pending): Decision => {
    const found = firstIn(booked, pending.request);
    if (found?.bookingId === pending.request.bookingId) {
      const { fencingToken, expiresAt = null, allowanceLeft = null } = found;
      return {
        code: 'booked',
        fencingToken,
        ...(expiresAt && { expiresAt }),
        ...(allowanceLeft !== null && { allowanceLeft }),
      };
    }
    if (found !== undefined) return new KeyTakenError('the same request, or its key, has booked before');
    if (pending.isInDoubt && !isLostAttemptOver) return { code: 'unknown' };
    if (isTooOld(pending)) return CHANGED_MEANWHILE;
    return allowed.refusalOf(pending.request) ?? SOLD_OUT;
  });
  return { decisions };
}

interface Booked {
  bookingId: string;
  fencingToken: number | null;
  expiresAt?: Date | null;
  allowanceLeft?: number | null | undefined;
}

/** What the terms of the event say to each request of a batch, in turn. */
interface Allowed {
  /** Whether it may be booked, being the next one for which there are tickets. */
  take(pending: Pending): boolean;
  /** What its customer may book after it; undefined where nothing limits that. */
  leftOf(request: BookingRequest): number | undefined;
  refusalOf(request: BookingRequest): Outcome | undefined;
}

async function askTerms(
  trx: Trx,
  eventId: number,
  { epoch, terms }: Stock,
  open: readonly Pending[],
): Promise<Allowed> {
  const maxPerCustomer = terms?.maxPerCustomer ?? null;
  const customers = [...new Set(open.map(({ request }) => request.customer))];
  const allowances =
    maxPerCustomer === null
      ? undefined
      : createAllowances(maxPerCustomer, await countTicketsOfCustomers(trx, { eventId, epoch, customers }));
  const lefts = new Map<string, number>();
  const refusals = new Map<string, Outcome>();
  return {
    take({ request }) {
      const taken = refusalByTerms(terms, request) ?? allowances?.take(request);
      if (typeof taken === 'object') refusals.set(request.bookingId, taken);
      if (typeof taken === 'number') lefts.set(request.bookingId, taken);
      return typeof taken !== 'object';
    },
    leftOf: ({ bookingId }) => lefts.get(bookingId),
    refusalOf: (request) => refusals.get(request.bookingId) ?? refusalByTerms(terms, request),
  };
}

function bookedAt(
  { madeAt }: { madeAt?: Date },
  { holdS }: BookingRequest,
  fencingToken: number | null,
): Extract<Outcome, { code: 'booked' }> {
  if (holdS === null || madeAt === undefined) return { code: 'booked', fencingToken };
  return { code: 'booked', fencingToken, expiresAt: endOfHoldMadeAt(madeAt, holdS) };
}

/** Of a request, or a key, that is there twice, the first. */
function withoutRepeats(batch: readonly Pending[]): Pending[] {
  const seen = new Set<string>();
  return batch.filter(({ request }) => {
    const names = namesOf(request);
    if (names.some((name) => seen.has(name))) return false;
    for (const name of names) seen.add(name);
    return true;
  });
}

/** The event was reset after the oldest of them arrived: after which of the others too? */
async function findTooOld(
  trx: Trx,
  eventId: number,
  batch: readonly Pending[],
): Promise<(pending: Pending) => boolean> {
  const arrivals = batch.map(({ request }) => request.arrivedAtMs);
  const isBefore = await findArrivalsBeforeEpoch(trx, { eventId, arrivals });
  const tooOld = new Set(batch.filter((_, i) => isBefore[i]));
  return (pending) => tooOld.has(pending);
}
