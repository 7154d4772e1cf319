import { type RawBuilder, sql } from 'kysely';

/**
 * What an operator lays down for the sale of an event. It stands in the counter's row, which every booking changes, and
 * is read there in the statement that books or under the row's lock: a change holds for each booking after it. An event
 * without terms pays nothing for it but a look at four nulls.
 */
export interface SaleTerms {
  /** By Postgres's clock, when this was read. */
  isOnSale: boolean;
  opensAtMs: number | null;
  closesAtMs: number | null;
  maxPerBooking: number | null;
  /** Counts what is confirmed and what is held; see customer-tickets.ts. */
  maxPerCustomer: number | null;
}

/** From its opening on, and up to its closing. */
const IS_ON_SALE = sql<boolean>`(coalesce(sales_open_at <= clock_timestamp(), true)
  and coalesce(sales_close_at > clock_timestamp(), true))`;

/** Of a row of the counter; null if there are none. */
export const SALE_TERMS: RawBuilder<SaleTerms | null> = sql`
  case when num_nonnulls(sales_open_at, sales_close_at, max_per_booking, max_per_customer) > 0 then json_build_object(
    'isOnSale', ${IS_ON_SALE},
    'opensAtMs', floor(extract(epoch from sales_open_at) * 1000),
    'closesAtMs', floor(extract(epoch from sales_close_at) * 1000),
    'maxPerBooking', max_per_booking,
    'maxPerCustomer', max_per_customer) end`;

/**
 * Whether bookings can be made by a statement that knows nothing but the counter's row. Whose tickets are counted it
 * does not: it sees the bookings of before it began, and others may have booked while it waited for the row.
 * @param largest the most tickets that one of them asks for
 * @param isWithinLimit where customers have a limit: whether it is kept, by a statement that knows
 */
export function sellsAtOnce(
  largest: RawBuilder<number> | number,
  isWithinLimit: RawBuilder<boolean> = sql`false`,
): RawBuilder<boolean> {
  return sql`${IS_ON_SALE} and (max_per_customer is null or ${isWithinLimit})
    and coalesce(max_per_booking >= ${largest}, true)`;
}
