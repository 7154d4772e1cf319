import { sql } from 'kysely';

import { SALE_TERMS, type SaleTerms } from './sale-terms.ts';
import type { Db, Trx } from './schema.ts';

/**
 * Tickets that are held. They are taken from an event's counter like those that are sold, and stand in `held_stock` by the
 * second in which their holds end. From that second on they are free. No clock but Postgres's says when that is, and
 * nothing has to happen for it: whoever would be refused for want of tickets looks here first, and gives back what has
 * ended, at the cost of one row for each second in which holds end, not of one for each hold.
 *
 * The row of a second is what makes a hold's end final. Its confirmation, extension and cancellation take their tickets
 * out of that row, in the statement that changes the booking; whoever ends the hold takes the row away. So one of the
 * two finds nothing, and whatever the clock is set to, a ticket is not both given back and confirmed.
 *
 * Locks are taken in this order, by everybody: the advisory lock of the event, its counter, a booking, a row of held
 * stock, of several the one with the earlier end.
 */

/** What there is of an event at one moment. */
export interface StockNow {
  /** Those of ended holds among them. */
  available: number;
  /** Of ended holds, and not yet given back to the counter. */
  ended: number;
  held: number;
  /** When the next of the holds ends; null if nothing is held. */
  nextEndAt: Date | null;
  terms: SaleTerms | null;
}

/**
 * Locks nothing. The cost is that of the seconds in which holds end: of those to come, at most as many as a hold may last,
 * and of those that came since anybody was refused or swept.
 */
export async function readStockNow(db: Db | Trx, eventId: number): Promise<StockNow | undefined> {
  const { rows } = await sql<StockNow>`
    select available + ended as available, ended, held, "nextEndAt", ${SALE_TERMS} as terms
    from inventory cross join lateral ${heldStockOf(sql`inventory.event_id`, sql`inventory.epoch`)}
    where event_id = ${eventId}`.execute(db);
  return rows[0];
}

/** By the clock at the beginning of the statement, so that a hold counts as one thing in all of it. */
export function heldStockOf(eventId: ReturnType<typeof sql>, epoch: ReturnType<typeof sql>) {
  return sql`(
    select coalesce(sum(quantity) filter (where ends_at <= statement_timestamp()), 0) as ended,
           coalesce(sum(quantity) filter (where ends_at > statement_timestamp()), 0) as held,
           min(ends_at) filter (where ends_at > statement_timestamp() and quantity > 0) as "nextEndAt"
    from held_stock where held_stock.event_id = ${eventId} and held_stock.epoch = ${epoch}
  ) held_stock_now`;
}

/** Gives the tickets of an event's ended holds back to its counter: what was decided on the old counter is void. */
export async function endHolds(db: Db | Trx, eventId: number): Promise<void> {
  await sql`
    with stock as materialized (
      select event_id, epoch from inventory where event_id = ${eventId} for update
    ), ended as (
      delete from held_stock using stock
      where held_stock.event_id = stock.event_id and held_stock.epoch = stock.epoch and ends_at <= clock_timestamp()
      returning quantity
    ), freed as materialized (
      select coalesce(sum(quantity), 0) as quantity from ended
    )
    update inventory
    set available = least(capacity, available + freed.quantity), version = version + 1, changes = changes + 1,
        holds_ended_until = greatest(holds_ended_until, clock_timestamp())
    from freed where event_id = ${eventId} and freed.quantity > 0`.execute(db);
}

/** Some of the events with holds that have ended and were not given back. */
export async function findEventsWithEndedHolds(db: Db, limit: number): Promise<number[]> {
  const { rows } = await sql<{ eventId: number }>`
    select distinct event_id as "eventId" from held_stock join inventory using (event_id, epoch)
    where ends_at <= clock_timestamp() limit ${limit}`.execute(db);
  return rows.map(({ eventId }) => eventId);
}

/** Rows from before a reset, whose time is over too: nobody asks for them any more. */
export async function deleteHeldStockOfOldEpochs(db: Db): Promise<void> {
  await sql`
    delete from held_stock using inventory
    where inventory.event_id = held_stock.event_id and held_stock.epoch < inventory.epoch
      and ends_at <= clock_timestamp()`.execute(db);
}

/**
 * Writes `expired` into bookings whose hold has ended, so many at most; those that somebody else is writing are passed
 * over. It changes nothing that anybody is told: their tickets are free already.
 * @returns how many it was
 */
export async function markExpired(db: Db, limit: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    update bookings set state = 'expired'
    where id in (
      select id from bookings
      where state = 'held' and expires_at <= clock_timestamp() and not exists (
        select from held_stock
        where held_stock.event_id = bookings.event_id and held_stock.epoch = bookings.epoch
          and ends_at = bookings.expires_at
      )
      order by expires_at limit ${limit} for update skip locked
    )`.execute(db);
  return Number(numAffectedRows);
}
