import { sql } from 'kysely';

import { beganAfter } from './arrival.ts';
import { CANCELLED_EPOCH, type Db, type Trx } from './schema.ts';

/** A booking about to be written. Its id exists before the transaction, so that an unknown commit can be looked up. */
export interface NewBooking {
  bookingId: string;
  requestId: string;
  eventId: number;
  quantity: number;
  customer: string;
  strategy: string;
  instanceId: string;
  fencingToken: number | null;
}

export interface StoredBooking extends Omit<NewBooking, 'requestId'> {
  /** Null for one of before requests had ids. */
  requestId: string | null;
  epoch: number;
}

/** In the transaction that takes its tickets, never alone. */
export async function insertBooking(
  trx: Trx,
  booking: NewBooking & { epoch: number; stockRevision: number },
): Promise<void> {
  await sql`
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token, request_id,
                          stock_revision)
    values (${booking.bookingId}, ${booking.eventId}, ${booking.epoch}, ${booking.quantity}, ${booking.customer},
            ${booking.strategy}, ${booking.instanceId}, ${booking.fencingToken}, ${booking.requestId},
            ${booking.stockRevision})`.execute(trx);
}

/**
 * Takes the tickets and writes the booking in one statement that needs no transaction around it. The sub-select sees
 * the state of before the statement: whether the event existed, and whether there were enough tickets. If there were
 * and it is not booked all the same, somebody was faster, or the event was reset since the request arrived.
 */
export async function takeStockAndInsertBooking(
  db: Db,
  booking: NewBooking & { arrivedAtMs?: number },
): Promise<{ isBooked: boolean; hadEnough: boolean | null }> {
  const { bookingId, requestId, eventId, quantity, customer, strategy, instanceId, fencingToken } = booking;
  const { rows } = await sql<{ isBooked: boolean; hadEnough: boolean | null }>`
    with taken as (
      update inventory set available = available - ${quantity}, version = version + 1
      where event_id = ${eventId} and available >= ${quantity} and not ${beganAfter(booking.arrivedAtMs)}
      returning epoch, version
    ), booked as (
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token, request_id,
                            stock_revision)
      select ${bookingId}::uuid, ${eventId}, epoch, ${quantity}, ${customer}, ${strategy}, ${instanceId},
             ${fencingToken}::bigint, ${requestId}::uuid, version
      from taken
      returning id
    )
    select exists (select from booked) as "isBooked",
           (select available >= ${quantity} from inventory where event_id = ${eventId}) as "hadEnough"`.execute(
    db,
  );
  return rows[0] ?? { isBooked: false, hadEnough: null };
}

const selectBooking = sql`
  select id as "bookingId", request_id as "requestId", event_id as "eventId", epoch, quantity, customer, strategy,
         instance_id as "instanceId", fencing_token as "fencingToken"
  from bookings`;

export async function findBooking(db: Db, id: string): Promise<StoredBooking | undefined> {
  const { rows } = await sql<StoredBooking>`
    ${selectBooking} where id = ${id} and epoch <> ${CANCELLED_EPOCH}`.execute(db);
  return rows[0];
}

/** The bookings of those requests that have made one, by request; those that were cancelled since have that epoch. */
export async function findBookingsOfRequests(
  db: Db | Trx,
  requestIds: readonly string[],
): Promise<Map<string, StoredBooking>> {
  const { rows } = await sql<StoredBooking & { requestId: string }>`
    ${selectBooking} where request_id = any(${requestIds}::uuid[])`.execute(db);
  return new Map(rows.map((booking) => [booking.requestId, booking]));
}

/** Those of the ids that were booked, and are not cancelled. */
export async function findBookedIds(db: Db | Trx, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select id from bookings where id = any(${ids}::uuid[]) and epoch <> ${CANCELLED_EPOCH}`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

/** Removes a slice of what resets have left behind. @returns how many went */
export async function deleteBookingsBefore(
  db: Db,
  { eventId, epoch, limit }: { eventId: number; epoch: number; limit: number },
): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from bookings where id in (
      select id from bookings where event_id = ${eventId} and epoch < ${epoch} limit ${limit}
    )`.execute(db);
  return Number(numAffectedRows);
}
