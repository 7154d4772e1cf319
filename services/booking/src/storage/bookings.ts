import { sql } from 'kysely';

import type { BookingState } from '#src/contract.ts';

import { beganAfter } from './arrival.ts';
import { endOfHold } from './holds.ts';
import { SALE_TERMS, type SaleTerms, sellsAtOnce } from './sale-terms.ts';
import { CANCELLED_EPOCH, type Db, STATE_NOW, type Trx } from './schema.ts';

/** A booking about to be written. Its id exists before the transaction, so that an unknown commit can be looked up. */
export interface NewBooking {
  bookingId: string;
  requestId: string;
  /** Null for a request without one. */
  idempotencyKey: string | null;
  eventId: number;
  quantity: number;
  /** For how many seconds it is held; null if it is booked at once. */
  holdS: number | null;
  customer: string;
  strategy: string;
  instanceId: string;
  fencingToken: number | null;
  /** What its customer may book after it; left out where the event has no limit for that. */
  allowanceLeft?: number | null;
}

export interface StoredBooking extends Omit<NewBooking, 'requestId'> {
  /** Null for one of before requests had ids. */
  requestId: string | null;
  epoch: number;
  /** By Postgres's clock, when it was read. */
  state: BookingState;
  /** When its hold ends, or ended; null if it was booked at once. */
  expiresAt: Date | null;
  /** When it was to end before it was extended. */
  firstExpiresAt: Date | null;
}

/** In the transaction that takes its tickets, never alone. No hold: those are made in batches. */
export async function insertBooking(
  trx: Trx,
  booking: NewBooking & { epoch: number; stockRevision: number },
): Promise<void> {
  await trx
    .insertInto('bookings')
    .values({
      id: booking.bookingId,
      request_id: booking.requestId,
      idempotency_key: booking.idempotencyKey,
      event_id: booking.eventId,
      epoch: booking.epoch,
      stock_revision: booking.stockRevision,
      quantity: booking.quantity,
      customer: booking.customer,
      strategy: booking.strategy,
      instance_id: booking.instanceId,
      fencing_token: booking.fencingToken,
      allowance_left: booking.allowanceLeft ?? null,
    })
    .execute();
}

export interface StatementResult {
  isBooked: boolean;
  /** Null if there is no such event. */
  hadEnough: boolean | null;
  terms: SaleTerms | null;
}

/**
 * Takes the tickets and writes the booking in one statement that needs no transaction around it. The sub-select sees
 * the state of before the statement: whether the event existed, and whether there were enough tickets. If there were
 * and it is not booked all the same, somebody was faster, or the event was reset since the request arrived, or its terms
 * do not let it: they refuse it, or limit what a customer has, which this statement cannot count (see `sellsAtOnce`).
 */
export async function takeStockAndInsertBooking(
  db: Db,
  booking: NewBooking & { arrivedAtMs?: number },
): Promise<StatementResult> {
  const { bookingId, requestId, eventId, quantity, customer, strategy, instanceId, fencingToken } = booking;
  const { rows } = await sql<StatementResult>`
    with taken as (
      update inventory set available = available - ${quantity}, version = version + 1
      where event_id = ${eventId} and available >= ${quantity} and not ${beganAfter(booking.arrivedAtMs)}
        and ${sellsAtOnce(quantity)}
      returning epoch, version
    ), booked as (
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token, request_id,
                            stock_revision, idempotency_key)
      select ${bookingId}::uuid, ${eventId}, epoch, ${quantity}, ${customer}, ${strategy}, ${instanceId},
             ${fencingToken}::bigint, ${requestId}::uuid, version, ${booking.idempotencyKey}::text
      from taken
      returning id
    )
    select exists (select from booked) as "isBooked", available >= ${quantity} as "hadEnough", ${SALE_TERMS} as terms
    from inventory where event_id = ${eventId}`.execute(db);
  return rows[0] ?? { isBooked: false, hadEnough: null, terms: null };
}

/** How a `StoredBooking` is read. */
export const STORED_BOOKING = [
  'bookings.id as bookingId',
  'bookings.request_id as requestId',
  'bookings.idempotency_key as idempotencyKey',
  'bookings.event_id as eventId',
  'bookings.epoch',
  'bookings.quantity',
  'bookings.hold_s as holdS',
  'bookings.expires_at as expiresAt',
  'bookings.customer',
  'bookings.strategy',
  'bookings.instance_id as instanceId',
  'bookings.fencing_token as fencingToken',
  'bookings.allowance_left as allowanceLeft',
  STATE_NOW.as('state'),
  sql<Date | null>`case when bookings.hold_s is not null
    then ${endOfHold(sql`bookings.created_at`, sql`bookings.hold_s`)} end`.as('firstExpiresAt'),
] as const;

export async function findBooking(db: Db | Trx, id: string): Promise<StoredBooking | undefined> {
  return db.selectFrom('bookings').select(STORED_BOOKING).where('id', '=', id).executeTakeFirst();
}

/** The bookings of those requests that have made one, by request, whatever has become of them since. */
export async function findBookingsOfRequests(
  db: Db | Trx,
  requestIds: readonly string[],
): Promise<Map<string, StoredBooking>> {
  const rows = await db
    .selectFrom('bookings')
    .select(STORED_BOOKING)
    .where('request_id', '=', sql<string>`any(${requestIds}::uuid[])`)
    .execute();
  return new Map(rows.map((booking) => [booking.requestId ?? '', booking]));
}

/** Those of the ids that were booked, and are not cancelled. */
export async function findBookedIds(db: Db | Trx, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('bookings')
    .select('id')
    .where('id', '=', sql<string>`any(${ids}::uuid[])`)
    .where('epoch', '<>', CANCELLED_EPOCH)
    .where('state', '<>', 'cancelled')
    .execute();
  return new Set(rows.map(({ id }) => id));
}

/** Removes a slice of what resets have left behind. @returns how many went */
export async function deleteBookingsBefore(
  db: Db,
  { eventId, epoch, limit }: { eventId: number; epoch: number; limit: number },
): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('bookings')
    .where('id', 'in', (before) =>
      before
        .selectFrom('bookings')
        .select('id')
        .where('event_id', '=', eventId)
        .where('epoch', '<', epoch)
        .limit(limit),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
