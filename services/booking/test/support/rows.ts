import type { Selectable } from 'kysely';

import { createEvent, findEvent, type EventRow } from '#src/storage/events.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Database } from '#src/storage/schema.ts';

export type BookedRow = Pick<
  Selectable<Database['bookings']>,
  'id' | 'quantity' | 'epoch' | 'state' | 'fencing_token' | 'stock_revision'
>;

/** A look at what is really in a database, and new events in it. */
export interface Rows {
  newEvent(capacity: number): Promise<number>;
  event(id: number): Promise<EventRow>;
  /** All bookings of the event, whatever their epoch. */
  rowsOf(eventId: number): Promise<BookedRow[]>;
  /** The stock revision of each booking, by its request, in the order of revisions. */
  requestsOf(eventId: number): Promise<Map<string | null, number | null>>;
  /** Who booked what: "<id> <instance>" of each booking, and the instances that share each fencing token. */
  rowsByInstance(eventId: number): Promise<{ rows: string[]; instancesByToken: Set<string>[] }>;
}

export function lookInto(db: PooledDb): Rows {
  return {
    newEvent: async (capacity) => (await createEvent(db, { name: 'Test', capacity })).id,
    async event(id) {
      const event = await findEvent(db, id, 'rows');
      if (event === undefined) throw new Error(`there is no event ${id}`);
      return event;
    },
    rowsOf: (eventId) =>
      db
        .selectFrom('bookings')
        .select(['id', 'quantity', 'epoch', 'state', 'fencing_token', 'stock_revision'])
        .where('event_id', '=', eventId)
        .orderBy('id')
        .execute(),
    async requestsOf(eventId) {
      const rows = await db
        .selectFrom('bookings')
        .select(['request_id', 'stock_revision'])
        .where('event_id', '=', eventId)
        .orderBy('stock_revision')
        .execute();
      return new Map(rows.map((row) => [row.request_id, row.stock_revision]));
    },
    async rowsByInstance(eventId) {
      const rows = await db
        .selectFrom('bookings')
        .select(['id', 'instance_id', 'fencing_token'])
        .where('event_id', '=', eventId)
        .execute();
      const byToken = Map.groupBy(rows, (row) => row.fencing_token);
      return {
        rows: rows.map((row) => `${row.id} ${row.instance_id}`),
        instancesByToken: [...byToken.values()].map((same) => new Set(same.map((row) => row.instance_id))),
      };
    },
  };
}
