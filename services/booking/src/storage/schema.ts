import type { ColumnType, Generated, Kysely, Transaction } from 'kysely';

/** What a query runs on: the pool, or a transaction that already has its connection. */
export type Db = Kysely<Database>;
export type Trx = Transaction<Database>;

export interface Database {
  events: EventsTable;
  inventory: InventoryTable;
  bookings: BookingsTable;
}

interface EventsTable {
  id: Generated<number>;
  name: string;
  created_at: Generated<Date>;
  /** Grows with every change by an operator: of what is here, or of the capacity. Bookings do not change it. */
  revision: Generated<number>;
}

/**
 * The one row per event that every booking changes: narrow, not indexed beyond its key and alone on its page as far
 * as that can be had, so that an update stays on the page (HOT) and costs no index.
 */
interface InventoryTable {
  event_id: number;
  capacity: number;
  available: number;
  /** Grows with every change: what the optimistic strategy compares. */
  version: Generated<number>;
  /** The largest fencing token that has booked; never goes back, not even by a reset. */
  fence: Generated<number>;
  /** Grows with every reset: bookings of older epochs no longer count. */
  epoch: Generated<number>;
  /** When the epoch began, by Postgres's clock. */
  epoch_began_at: Generated<Date>;
  /** Grows with every change that is no booking (a new capacity, a cancellation): what was decided before it is void. */
  changes: Generated<number>;
}

/** Of bookings that were cancelled: an event's first epoch is 1. */
export const CANCELLED_EPOCH = 0;

interface BookingsTable {
  id: string;
  event_id: number;
  epoch: number;
  quantity: number;
  customer: string;
  strategy: string;
  instance_id: string;
  fencing_token: number | null;
  /** The request that made it; null in rows of before there was this column. */
  request_id: string | null;
  /** The counter's `version` after its tickets were taken: the order of an event's commits. Null as above. */
  stock_revision: number | null;
  /** What its maker has named it, so that it is made once: unique for an event and a customer. */
  idempotency_key: string | null;
  created_at: ColumnType<Date, never, never>;
}
