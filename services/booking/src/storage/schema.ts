import { sql, type ColumnType, type Generated, type Kysely, type RawBuilder, type Transaction } from 'kysely';

import type { BookingState } from '#src/contract.ts';

/** What a query runs on: the pool, or a transaction that already has its connection. */
export type Db = Kysely<Database>;
export type Trx = Transaction<Database>;

export interface Database {
  events: EventsTable;
  inventory: InventoryTable;
  bookings: BookingsTable;
  held_stock: HeldStockTable;
}

interface EventsTable {
  id: Generated<number>;
  name: string;
  /** A hold that has ended can be confirmed all the same while there are tickets. */
  honours_late_payment: Generated<boolean>;
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
  /** Holds that were to end by then have ended, and new ones end later, whatever the clock says. */
  holds_ended_until: Generated<Date>;
  /** What follows are the terms of its sale (see sale-terms.ts); null where there is no such limit. */
  sales_open_at: Date | null;
  sales_close_at: Date | null;
  max_per_booking: number | null;
  max_per_customer: number | null;
}

/**
 * Held tickets of an event, by the end of their holds. They are taken from `available`; once the end has come they are
 * free, and whoever sees it first gives them back and takes the row away (see held-stock.ts).
 */
interface HeldStockTable {
  event_id: number;
  epoch: number;
  ends_at: Date;
  quantity: number;
}

/** Of bookings that were cancelled before there were states: an event's first epoch is 1. */
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
  /** As it was written: `held` after its end is over all the same. See `STATE_NOW`. */
  state: Generated<BookingState>;
  /** For how many seconds it was held at first; null where it was booked at once. */
  hold_s: number | null;
  /** The end of its hold, also if it was confirmed since. */
  expires_at: Date | null;
  /** What its customer could still book after it, where the event limits that. */
  allowance_left: number | null;
  created_at: ColumnType<Date, never, never>;
}

/** The state of a booking by the clock of Postgres. */
export const STATE_NOW: RawBuilder<BookingState> = sql`(case
  when bookings.epoch = ${sql.lit(CANCELLED_EPOCH)} then 'cancelled'
  when bookings.state = 'held' and bookings.expires_at <= statement_timestamp() then 'expired'
  else bookings.state end)::booking_state`;
