import type { Locks } from '@lastseat/locking';
import type { Pool } from 'pg';

/**
 * The last ticket: many buyers, one row.
 *
 *     create table event (id int primary key, tickets_left int not null, fence bigint not null default 0)
 *
 * The lock lets one buyer at a time read, decide and write. A lease can end while its holder is stopped, so the row keeps
 * the largest fencing token that it has seen. The first statement raises it: from then on nobody with a smaller token can
 * write, so what was read stays true until the second statement.
 */
export function buyTicket(locks: Locks, pool: Pool, eventId: number): Promise<'bought' | 'sold out'> {
  return locks.withLock(`event/${eventId}`, { waitMs: 5_000 }, async ({ token }) => {
    const read = await pool.query<{ tickets_left: number }>(
      'update event set fence = $2 where id = $1 and fence < $2 returning tickets_left',
      [eventId, token],
    );
    const left = read.rows[0]?.tickets_left;
    if (left === undefined)
      throw new Error(`event ${eventId}: not found, or a later holder was here already`);
    if (left === 0) return 'sold out';

    const sold = await pool.query('update event set tickets_left = $3 where id = $1 and fence = $2', [
      eventId,
      token,
      left - 1,
    ]);
    if (sold.rowCount === 0) throw new Error(`event ${eventId}: a later holder came in between`);
    return 'bought';
  });
}
