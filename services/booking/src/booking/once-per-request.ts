import type { BookingFinder } from '#src/storage/booking-finder.ts';
import { KeyTakenError } from '#src/storage/failure.ts';
import { forgetKey, type FirstBooking } from '#src/storage/first-bookings.ts';
import type { PooledDb } from '#src/storage/pool.ts';

import { type BookingRequest, type Outcome, type Strategy } from './strategy.ts';

export interface OncePerRequestDeps {
  db: PooledDb;
  finder: BookingFinder;
  /** A key is good for another booking so long after the one that was made with it. */
  keyTtlMs: number;
}

/**
 * One request, one booking, whatever repeats it; and one booking for an idempotency key, of one customer and event.
 * Unique keys of the table decide, in the statement that books: whoever comes second writes nothing and is told so by
 * Postgres. What it answers is the booking of the first.
 *
 * A refusal writes nothing that the keys could stop. So before a request that may have been sent before is told that
 * the tickets are gone, or the sale is over, its own booking is looked for, which may have taken the last of them.
 */
export function oncePerRequest(strategy: Strategy, { db, finder, keyTtlMs }: OncePerRequestDeps): Strategy {
  async function bookOnce(request: BookingRequest): Promise<Outcome> {
    const outcome = await bookOrFindKeyTaken(strategy, request);
    const isTaken = outcome === KEY_TAKEN;
    const mayBeRepeated = request.mayBeRepeated || request.idempotencyKey !== null;
    if (!isTaken && !(isRefusal(outcome) && mayBeRepeated)) return outcome;

    const first = await finder.firstOf(request);
    const refusal = isTaken ? inProgress(request) : outcome;
    if (first === undefined) return refusal;
    if (!first.hasKey) return answerOfRequest(first, request) ?? refusal;
    if (first.ageMs < keyTtlMs) return answerOfKey(first, request);
    if (!isTaken) return refusal;
    await forgetKey(db.until(request.deadlineMs), first.booking, keyTtlMs);
    const second = await bookOrFindKeyTaken(strategy, request);
    return second === KEY_TAKEN ? inProgress(request) : second;
  }

  return { ...strategy, book: bookOnce };
}

const KEY_TAKEN = 'key taken';

async function bookOrFindKeyTaken(
  strategy: Strategy,
  request: BookingRequest,
): Promise<Outcome | typeof KEY_TAKEN> {
  try {
    return await strategy.book(request);
  } catch (error) {
    if (error instanceof KeyTakenError) return KEY_TAKEN;
    throw error;
  }
}

/** Those that the request's own booking may be the reason of, or that came after it. */
const REFUSALS: ReadonlySet<Outcome['code']> = new Set([
  'sold_out',
  'all_held',
  'not_on_sale',
  'limit_reached',
  'customer_required',
] as const);

function isRefusal({ code }: Outcome): boolean {
  return REFUSALS.has(code);
}

/** The first answer, also if the booking was cancelled since: a key is not a way to book again. */
function answerOfKey({ booking }: FirstBooking, request: BookingRequest): Outcome {
  const isSame = booking.quantity === request.quantity && booking.holdS === request.holdS;
  return isSame ? { code: 'booked_before', booking } : { code: 'idempotency_key_reused' };
}

function answerOfRequest({ booking }: FirstBooking, request: BookingRequest): Outcome | undefined {
  if (booking.state === 'cancelled') return undefined;
  const isSame =
    booking.eventId === request.eventId &&
    booking.quantity === request.quantity &&
    booking.holdS === request.holdS &&
    booking.customer === request.customer;
  return isSame ? { code: 'booked_before', booking } : { code: 'request_id_reused' };
}

/** What stood in the way is gone: it was swept away by a reset, or refused itself. */
function inProgress({ idempotencyKey }: BookingRequest): Outcome {
  if (idempotencyKey !== null) return { code: 'idempotency_key_in_use' };
  return { code: 'busy', detail: 'The same request was decided at the same time; nothing was written.' };
}
