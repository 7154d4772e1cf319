import { sql } from 'kysely';

import { findBookingsOfRequests, STORED_BOOKING, type NewBooking, type StoredBooking } from './bookings.ts';
import type { Db, Trx } from './schema.ts';

/** What makes a booking the only one of its kind: the id of its request, and the key that its maker has given it. */
export type Identity = Pick<NewBooking, 'requestId' | 'eventId' | 'customer' | 'idempotencyKey'>;

/** A booking that was made under the request's id or key. */
export interface FirstBooking {
  booking: StoredBooking;
  /** It has the key; otherwise only the id of the request. */
  hasKey: boolean;
  /** Since it was made, by Postgres's clock. */
  ageMs: number;
}

/**
 * The names of a request under which it can book once, so that two requests are the same if they share one. A key counts
 * before the id: who gives one means it.
 */
export function namesOf({ requestId, eventId, customer, idempotencyKey }: Identity): string[] {
  return idempotencyKey === null ? [requestId] : [keyOf(eventId, customer, idempotencyKey), requestId];
}

export function firstIn<T>(byName: ReadonlyMap<string, T>, request: Identity): T | undefined {
  for (const name of namesOf(request)) {
    const first = byName.get(name);
    if (first !== undefined) return first;
  }
  return undefined;
}

function keyOf(eventId: number, customer: string, idempotencyKey: string): string {
  return JSON.stringify([eventId, customer, idempotencyKey]);
}

/**
 * What was booked under any of those names, whatever has become of it since.
 * @returns by name, see `namesOf`
 */
export async function findFirstBookings(
  db: Db | Trx,
  requests: readonly Identity[],
): Promise<Map<string, FirstBooking>> {
  const found = new Map<string, FirstBooking>();
  const requestIds = requests.map(({ requestId }) => requestId);
  for (const [requestId, booking] of await findBookingsOfRequests(db, requestIds)) {
    found.set(requestId, { booking, hasKey: false, ageMs: 0 });
  }
  const keyed = requests.filter(({ idempotencyKey }) => idempotencyKey !== null);
  if (keyed.length === 0) return found;
  const rows = await db
    .selectFrom('bookings')
    .innerJoin(
      sql<{ event_id: number; customer: string; key: string }>`unnest(
        ${keyed.map(({ eventId }) => eventId)}::integer[], ${keyed.map(({ customer }) => customer)}::text[],
        ${keyed.map(({ idempotencyKey }) => idempotencyKey)}::text[])`.as<'asked'>(
        sql`asked (event_id, customer, key)`,
      ),
      (join) =>
        join
          .onRef('bookings.event_id', '=', 'asked.event_id')
          .onRef('bookings.customer', '=', 'asked.customer')
          .onRef('bookings.idempotency_key', '=', 'asked.key'),
    )
    .select(STORED_BOOKING)
    .select(sql<number>`(extract(epoch from clock_timestamp() - created_at) * 1000)::float8`.as('ageMs'))
    // What the index says too, or it could not be used.
    .where('bookings.idempotency_key', 'is not', null)
    .execute();
  for (const { ageMs, ...booking } of rows) {
    const key = keyOf(booking.eventId, booking.customer, booking.idempotencyKey ?? '');
    found.set(key, { booking, hasKey: true, ageMs });
  }
  return found;
}

/** Lets another booking have the key of one that is at least as old, by Postgres's clock. */
export async function forgetKey(
  db: Db,
  { bookingId, idempotencyKey }: Pick<StoredBooking, 'bookingId' | 'idempotencyKey'>,
  ageMs: number,
): Promise<void> {
  await db
    .updateTable('bookings')
    .set({ idempotency_key: null })
    .where('id', '=', bookingId)
    .where('idempotency_key', '=', idempotencyKey)
    .where(sql<boolean>`created_at <= clock_timestamp() - ${ageMs} * interval '1 millisecond'`)
    .execute();
}
