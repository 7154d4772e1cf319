import { sql } from 'kysely';

import { countTicketsOfCustomers } from './customer-tickets.ts';
import { endHolds } from './held-stock.ts';
import { lockStock, type Stock } from './inventory.ts';
import type { Db, Trx } from './schema.ts';

/**
 * What becomes of a hold, each step one statement that compares and sets: the hold stands and has not ended, by Postgres's
 * clock at the moment at which its row is ours, and its tickets are still held (see held-stock.ts).
 */

/** The hold, if it stands, and ends then if that is said. Its row is ours until the commit. */
const standingHold = (bookingId: string, endsAt: Date | null = null) => sql`
  select id, event_id, epoch, quantity, created_at, expires_at from bookings
  where id = ${bookingId} and state = 'held' and expires_at > clock_timestamp()
    and expires_at = coalesce(${endsAt}::timestamptz, expires_at)
  for update`;

/**
 * Takes the hold's tickets out of those that are given back when it ends. None are left there if it has ended. Nor does the
 * statement see them if it has waited for an extension that brought them there: it does nothing then, and is to be made again.
 */
const taken = sql`
  update held_stock set quantity = held_stock.quantity - hold.quantity
  from hold
  where held_stock.event_id = hold.event_id and held_stock.epoch = hold.epoch and ends_at = hold.expires_at
    and ends_at > clock_timestamp() and held_stock.quantity >= hold.quantity`;

/** @returns false if it did not stand, or was extended at the same time */
export async function confirmHold(db: Db | Trx, bookingId: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    with hold as materialized (${standingHold(bookingId)}), taken as (${taken} returning hold.id)
    update bookings set state = 'confirmed' from taken where bookings.id = taken.id`.execute(db);
  return numAffectedRows === 1n;
}

/**
 * Lets it end so many seconds from now, and never sooner than it would.
 * @param maxS from its beginning to its end, at most
 * @param endsAt when it is to end until now; null if that makes no difference
 */
export async function extendHold(
  db: Db | Trx,
  {
    bookingId,
    seconds,
    maxS,
    endsAt = null,
  }: { bookingId: string; seconds: number; maxS: number; endsAt?: Date | null },
): Promise<'extended' | 'too_long' | 'no_hold'> {
  const { rows } = await sql<{ isExtended: boolean; endsLater: boolean | null; isTooLong: boolean | null }>`
    with standing as materialized (${standingHold(bookingId, endsAt)}), hold as materialized (
      select *, ${endOfHold(sql`clock_timestamp()`, sql`${seconds}`)} as new_end,
             ${endOfHold(sql`created_at`, sql`${maxS}`)} as last_end
      from standing
    ), taken as (
      ${taken} and new_end > ends_at and new_end <= last_end
      returning hold.*
    ), added as (
      insert into held_stock (event_id, epoch, ends_at, quantity)
      select event_id, epoch, new_end, quantity from taken
      on conflict (event_id, epoch, ends_at) do update set quantity = held_stock.quantity + excluded.quantity
    ), extended as (
      update bookings set expires_at = new_end from taken where bookings.id = taken.id returning bookings.id
    )
    select exists (select from extended) as "isExtended", (select new_end <= expires_at from hold) as "endsLater",
           (select new_end > last_end from hold) as "isTooLong"`.execute(db);
  const { isExtended, endsLater, isTooLong } = rows[0] ?? {};
  if (isExtended || endsLater) return 'extended';
  return isTooLong ? 'too_long' : 'no_hold';
}

/** Holds end with a whole second, the first one after their time. */
export function endOfHold(from: ReturnType<typeof sql>, seconds: ReturnType<typeof sql>) {
  return sql<Date>`(date_trunc('second', ${from}) + (${seconds}::integer + 1) * interval '1 second')`;
}

/** The same by the moment that Postgres has told. */
export function endOfHoldMadeAt(madeAt: Date, seconds: number): Date {
  return new Date((Math.floor(madeAt.getTime() / 1_000) + seconds + 1) * 1_000);
}

/**
 * Confirms a hold that has ended, if its event honours late payment and there are tickets: it takes them anew.
 * @returns false if it is not such a hold, there are too few tickets, or its customer has as many as he may
 */
export async function lockStockAndConfirmLate(
  trx: Trx,
  { bookingId, eventId }: { bookingId: string; eventId: number },
): Promise<boolean> {
  const stock = await lockStock(trx, eventId);
  await sql`select from bookings where id = ${bookingId} for update`.execute(trx);
  await endHolds(trx, eventId);
  if (stock === undefined || !(await mayHaveAgain(trx, bookingId, stock))) return false;
  const { numAffectedRows } = await sql`
    with hold as materialized (
      select bookings.* from bookings join events on events.id = event_id
      where bookings.id = ${bookingId} and honours_late_payment
        and state in ('held', 'expired') and expires_at <= clock_timestamp()
      for update of bookings
    ), taken as (
      update inventory set available = available - hold.quantity, version = version + 1
      from hold
      where inventory.event_id = hold.event_id and inventory.epoch = hold.epoch and available >= hold.quantity
        -- It has ended between the last statement and this one: the next attempt gives its tickets back first.
        and not exists (
          select from held_stock
          where held_stock.event_id = hold.event_id and held_stock.epoch = hold.epoch and ends_at = hold.expires_at
        )
      returning hold.id, version
    )
    update bookings set state = 'confirmed', stock_revision = taken.version
    from taken where bookings.id = taken.id`.execute(trx);
  return numAffectedRows === 1n;
}

/** Whether its customer may have the tickets of an ended hold once more. The event's row is locked. */
async function mayHaveAgain(trx: Trx, bookingId: string, { terms }: Stock): Promise<boolean> {
  if (terms === null || terms.maxPerCustomer === null) return true;
  const hold = await trx
    .selectFrom('bookings')
    .select(['event_id', 'epoch', 'customer', 'quantity'])
    .where('id', '=', bookingId)
    .executeTakeFirst();
  if (hold === undefined) return false;
  const { event_id: eventId, epoch, customer, quantity } = hold;
  const tickets = await countTicketsOfCustomers(trx, { eventId, epoch, customers: [customer] });
  return (tickets.get(customer) ?? 0) + quantity <= terms.maxPerCustomer;
}
