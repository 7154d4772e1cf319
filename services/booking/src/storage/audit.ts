import { sql } from 'kysely';

import { lockEventByAdvisory, lockStock } from './inventory.ts';
import type { Db } from './schema.ts';
import { transact } from './transaction.ts';

/** An event of which the counter says something else than the booking rows, both read at the same moment. */
export interface Difference {
  eventId: number;
  name: string;
  capacity: number;
  available: number;
  bookedByCounter: number;
  bookedByRows: number;
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
        select i.event_id as "eventId", e.name, i.capacity, i.available,
               i.capacity - i.available as "bookedByCounter", coalesce(b.booked, 0) as "bookedByRows"
        from inventory i
        join events e on e.id = i.event_id
        left join (select event_id, epoch, sum(quantity) as booked from bookings group by event_id, epoch) b
          on b.event_id = i.event_id and b.epoch = i.epoch
        where i.capacity - i.available <> coalesce(b.booked, 0)
        order by i.event_id`.execute(trx);
      const { rows } = await sql<{ events: number }>`select count(*) as events from inventory`.execute(trx);
      return { events: rows[0]?.events ?? 0, differences };
    },
    { isolation: 'repeatable read' },
  );
}

/**
 * Sets an event's counter to what its rows say, and to 0 where they say that more was sold than there is. Nobody books
 * the event while its rows are added up; decisions that were made before it are void, as after every change of stock.
 *
 * @returns what it is now, or undefined if the event is gone
 */
export async function lockAndMendCounter(
  db: Db,
  eventId: number,
): Promise<Pick<Difference, 'capacity' | 'available' | 'bookedByRows'> | undefined> {
  return transact(db, async (trx) => {
    // In the order of those who book: first the advisory lock, then the row. The other way round is a deadlock.
    await lockEventByAdvisory(trx, eventId);
    const stock = await lockStock(trx, eventId);
    if (stock === undefined) return undefined;
    // A statement of its own: it sees all that was committed before the row was ours.
    const { rows } = await sql<{ booked: number }>`
      select coalesce(sum(quantity), 0) as booked from bookings
      where event_id = ${eventId} and epoch = ${stock.epoch}`.execute(trx);
    const bookedByRows = rows[0]?.booked ?? 0;
    const { rows: mended } = await sql<Pick<Difference, 'capacity' | 'available' | 'bookedByRows'>>`
      update inventory set version = version + 1, changes = changes + 1,
        available = greatest(0, capacity - ${bookedByRows}::bigint)
      where event_id = ${eventId}
      returning capacity, available, ${bookedByRows}::bigint as "bookedByRows"`.execute(trx);
    return mended[0];
  });
}
