import { sql } from 'kysely';

import type { Db, Trx } from './schema.ts';

/** Bookings of one event that are written together, under one fencing token. */
export interface Batch {
  eventId: number;
  token: number;
  strategy: string;
  bookings: readonly {
    bookingId: string;
    requestId: string;
    customer: string;
    quantity: number;
    instanceId: string;
  }[];
}

/**
 * Takes the tickets of all bookings and writes their rows, or does nothing at all: if they do not all fit, a larger
 * token has booked, or there is no such event. One statement, whole by itself; the row is locked for no longer than
 * it takes to commit.
 *
 * @returns whether they are booked
 */
export async function takeStockAndInsertAll(db: Db | Trx, batch: Batch): Promise<boolean> {
  const { eventId, token, strategy, bookings } = batch;
  const total = bookings.reduce((sum, { quantity }) => sum + quantity, 0);
  const { numAffectedRows } = await sql`
    with taken as (
      update inventory set available = available - ${total}, fence = ${token}, version = version + 1
      where event_id = ${eventId} and fence <= ${token} and available >= ${total}
      returning epoch, version
    )
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token, request_id,
                          stock_revision)
    select booking.id, ${eventId}, taken.epoch, quantity, customer, ${strategy}, instance_id, ${token}, request_id,
           taken.version
    from taken, unnest(${bookings.map(({ bookingId }) => bookingId)}::uuid[],
                       ${bookings.map(({ customer }) => customer)}::text[],
                       ${bookings.map(({ quantity }) => quantity)}::integer[],
                       ${bookings.map(({ instanceId }) => instanceId)}::text[],
                       ${bookings.map(({ requestId }) => requestId)}::uuid[])
      as booking (id, customer, quantity, instance_id, request_id)`.execute(db);
  return numAffectedRows === BigInt(bookings.length);
}

/**
 * The same for batches of different events, in one statement: each is booked whole or not at all. Rows that somebody
 * else has locked are passed over rather than waited for, so that no event waits for another one's; nor do two of these
 * statements, whatever order they lock rows in.
 *
 * @returns the events whose batch is booked
 */
export async function takeStockAndInsertEach(db: Db, batches: readonly Batch[]): Promise<Set<number>> {
  const wanted = batches.map(({ eventId, token, bookings }) => ({
    eventId,
    token,
    total: bookings.reduce((sum, { quantity }) => sum + quantity, 0),
  }));
  const rows = batches.flatMap(({ eventId, strategy, bookings }) =>
    bookings.map((booking) => ({ ...booking, eventId, strategy })),
  );
  const { rows: booked } = await sql<{ eventId: number }>`
    with wanted as (
      select * from unnest(${wanted.map(({ eventId }) => eventId)}::integer[],
                           ${wanted.map(({ token }) => token)}::bigint[],
                           ${wanted.map(({ total }) => total)}::integer[]) as wanted (event_id, token, total)
    ), free as (
      select event_id from inventory where event_id in (select event_id from wanted) for update skip locked
    ), taken as (
      update inventory set available = available - total, fence = token, version = version + 1
      from wanted join free using (event_id)
      where inventory.event_id = wanted.event_id and fence <= token and available >= total
      returning inventory.event_id, epoch, token, version
    ), inserted as (
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, fencing_token, request_id,
                            stock_revision)
      select id, event_id, epoch, quantity, customer, strategy, instance_id, token, request_id, version
      from taken join unnest(${rows.map(({ bookingId }) => bookingId)}::uuid[],
                             ${rows.map(({ eventId }) => eventId)}::integer[],
                             ${rows.map(({ quantity }) => quantity)}::integer[],
                             ${rows.map(({ customer }) => customer)}::text[],
                             ${rows.map(({ strategy }) => strategy)}::text[],
                             ${rows.map(({ instanceId }) => instanceId)}::text[],
                             ${rows.map(({ requestId }) => requestId)}::uuid[])
        as booking (id, event_id, quantity, customer, strategy, instance_id, request_id) using (event_id)
    )
    select event_id as "eventId" from taken`.execute(db);
  return new Set(booked.map(({ eventId }) => eventId));
}

/**
 * Locks the event's row and raises its fence to `token`: from here on, no statement sent under a smaller token can
 * change it, not even one that is still on its way.
 *
 * @returns undefined if a larger token has booked, or there is no such event
 */
export async function lockStockAndRaiseFence(
  trx: Trx,
  { eventId, token }: { eventId: number; token: number },
): Promise<{ available: number; epoch: number } | undefined> {
  const { rows } = await sql<{ available: number; epoch: number }>`
    update inventory set fence = ${token}
    where event_id = ${eventId} and fence <= ${token}
    returning available, epoch`.execute(trx);
  return rows[0];
}

/** Those of the ids that were booked, each with the token that it was booked under. */
export async function findTokensOfBooked(trx: Trx, ids: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ id: string; token: number }>`
    select id, fencing_token as token from bookings where id = any(${ids}::uuid[])`.execute(trx);
  return new Map(rows.map(({ id, token }) => [id, token]));
}
