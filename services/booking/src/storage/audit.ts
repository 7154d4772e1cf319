import { sql } from 'kysely';

import { lockEvent } from './inventory.ts';
import type { Db } from './schema.ts';
import { transact } from './transaction.ts';

/** An event of which the counter says something else than the booking rows, both read at the same moment. */
export interface Difference {
  eventId: number;
  name: string;
  capacity: number;
  available: number;
  /** What is not available: booked, or held and not given back. */
  bookedByCounter: number;
  /** Tickets in confirmed rows, and in those held rows whose tickets were not given back. */
  bookedByRows: number;
  /** Those of them that are held, by the held stock. */
  heldByCounter: number;
  heldByRows: number;
}

export interface Audit {
  /** How many there are, differing or not. */
  events: number;
  differences: Difference[];
}

/** Each event's booking rows are added up, all from one snapshot, and nothing is locked. */
export async function compareCountersWithRows(db: Db): Promise<Audit> {
  return transact(
    db,
    async (trx) => {
      const { rows: differences } = await sql<Difference>`
        with confirmed as (
          select event_id, epoch, sum(quantity) as quantity from bookings where state = 'confirmed'
          group by event_id, epoch
        ), held_rows as (
          select event_id, epoch, expires_at as ends_at, sum(quantity) as quantity from bookings where state = 'held'
          group by event_id, epoch, expires_at
        ), held as (
          select event_id, epoch, sum(stock.quantity) as by_counter, coalesce(sum(rows.quantity), 0) as by_rows,
                 bool_or(stock.quantity <> coalesce(rows.quantity, 0)) as differs
          from held_stock stock left join held_rows rows using (event_id, epoch, ends_at)
          group by event_id, epoch
        ), compared as (
          select i.event_id as "eventId", e.name, i.capacity, i.available, i.capacity - i.available as "bookedByCounter",
                 (coalesce(confirmed.quantity, 0) + coalesce(held.by_rows, 0))::bigint as "bookedByRows",
                 coalesce(held.by_counter, 0)::bigint as "heldByCounter", coalesce(held.by_rows, 0)::bigint as "heldByRows",
                 coalesce(held.differs, false) as differs
          from inventory i
          join events e on e.id = i.event_id
          left join confirmed using (event_id, epoch)
          left join held using (event_id, epoch)
        )
        select "eventId", name, capacity, available, "bookedByCounter", "bookedByRows", "heldByCounter", "heldByRows"
        from compared where differs or "bookedByCounter" <> "bookedByRows"
        order by "eventId"`.execute(trx);
      const { rows } = await sql<{ events: number }>`select count(*) as events from inventory`.execute(trx);
      return { events: rows[0]?.events ?? 0, differences };
    },
    { isolation: 'repeatable read' },
  );
}

/**
 * Sets an event's counter and its held stock to what its rows say, and to 0 where they say that more was sold than there is. Nobody books
 * the event while its rows are added up; decisions that were made before it are void, as after every change of stock.
 *
 * @returns what it is now, or undefined if the event is gone
 */
export async function lockAndMendCounter(
  db: Db,
  eventId: number,
): Promise<Pick<Difference, 'capacity' | 'available' | 'bookedByRows'> | undefined> {
  return transact(db, async (trx) => {
    const stock = await lockEvent(trx, eventId);
    if (stock === undefined) return undefined;
    const { epoch } = stock;
    // Whoever confirms or extends a hold waits for its row of held stock, or has done with it. Each is a statement of its
    // own: it sees all that was committed before the rows were ours.
    await sql`
      select from held_stock where event_id = ${eventId} and epoch = ${epoch} order by ends_at for update`.execute(
      trx,
    );
    await sql`
      update held_stock set quantity = coalesce((
        select sum(quantity) from bookings
        where bookings.event_id = held_stock.event_id and bookings.epoch = held_stock.epoch and state = 'held'
          and expires_at = ends_at
      ), 0)
      where event_id = ${eventId} and epoch = ${epoch}`.execute(trx);
    const { rows } = await sql<{ booked: number }>`
      select (coalesce((
        select sum(quantity) from bookings where event_id = ${eventId} and epoch = ${epoch} and state = 'confirmed'
      ), 0) + coalesce((
        select sum(quantity) from held_stock where event_id = ${eventId} and epoch = ${epoch}
      ), 0))::bigint as booked`.execute(trx);
    const bookedByRows = rows[0]?.booked ?? 0;
    const { rows: mended } = await sql<Pick<Difference, 'capacity' | 'available' | 'bookedByRows'>>`
      update inventory set version = version + 1, changes = changes + 1,
        available = greatest(0, capacity - ${bookedByRows}::bigint)
      where event_id = ${eventId}
      returning capacity, available, ${bookedByRows}::bigint as "bookedByRows"`.execute(trx);
    return mended[0];
  });
}
