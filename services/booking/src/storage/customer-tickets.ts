import { type RawBuilder, sql } from 'kysely';

import { ANONYMOUS } from '#src/contract.ts';

import { endHolds } from './held-stock.ts';
import type { Trx } from './schema.ts';

/**
 * How many tickets of an event its customers have: confirmed, or in holds that have not ended. Whoever is not named has
 * none. The cost is that of the rows that count, which the limit itself keeps few.
 *
 * The caller has locked the event's row, by an earlier statement: everybody who books for the event does, so that what is
 * counted here stays true until the commit. A hold counts as long as its row of held stock is there (see held-stock.ts),
 * since until then it may still be confirmed or extended by somebody who looked at the clock earlier. Those whose time is
 * over are ended first, for everybody.
 */
export async function countTicketsOfCustomers(trx: Trx, asked: Asked): Promise<Map<string, number>> {
  let { rows } = await ticketsOfCustomers(asked).execute(trx);
  if (rows.some(({ hasEnded }) => hasEnded)) {
    await endHolds(trx, asked.eventId);
    ({ rows } = await ticketsOfCustomers(asked).execute(trx));
  }
  return new Map(rows.map(({ customer, tickets }) => [customer, tickets]));
}

interface Asked {
  eventId: number;
  epoch: number;
  customers: readonly string[];
}

export function ticketsOfCustomers({ eventId, epoch, customers }: Asked) {
  const had = ticketsOfCustomer({
    eventId: sql`${eventId}`,
    epoch: sql`${epoch}`,
    customer: sql`asked.customer`,
  });
  return sql<{ customer: string; tickets: number; hasEnded: boolean }>`
    select asked.customer, tickets, "hasEnded"
    from unnest(${customers}::text[]) as asked (customer) cross join lateral (${had}) as had
    where tickets is not null`;
}

/**
 * A row with nulls for whoever has none. One customer, because Postgres takes a list of them for a long one, and on a table
 * that it has not looked at yet would rather go through all that the event has sold.
 */
export function ticketsOfCustomer({
  eventId,
  epoch,
  customer,
}: Record<'eventId' | 'epoch' | 'customer', RawBuilder<unknown>>) {
  return sql`
    select sum(bookings.quantity) as tickets,
           bool_or(state = 'held' and ends_at <= clock_timestamp()) as "hasEnded"
    from bookings left join held_stock
      on state = 'held' and held_stock.event_id = ${eventId} and held_stock.epoch = ${epoch} and ends_at = expires_at
    where bookings.event_id + 0 = ${eventId} and bookings.epoch = ${epoch} and bookings.customer = ${customer}
      and state in ('held', 'confirmed') and (state = 'confirmed' or ends_at is not null)
      -- What the index says too, or it could not be used. The 0 keeps out those that know nothing of customers.
      and bookings.customer <> ${sql.lit(ANONYMOUS)}`;
}
