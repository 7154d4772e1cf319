import { type RawBuilder, sql } from 'kysely';

import { ANONYMOUS } from '#src/contract.ts';

import { agesSince, beganAfter, beganWithin } from './arrival.ts';
import type { NewBooking } from './bookings.ts';
import { ticketsOfCustomer } from './customer-tickets.ts';
import { endOfHold } from './holds.ts';
import { SALE_TERMS, type SaleTerms, sellsAtOnce } from './sale-terms.ts';
import type { Db, Trx } from './schema.ts';

/** Bookings of one event that are written together. */
export interface Batch {
  eventId: number;
  strategy: string;
  instanceId: string;
  /** The fencing token that they are booked under; null where no lock gave one. */
  token: number | null;
  /** Monotonic time at which the oldest of them arrived; undefined: they all belong to the present epoch. */
  arrivedAtMs?: number | undefined;
  /** Its event limits what a customer has, as far as is known: the statement counts that. See `takeStockAndInsertEach`. */
  isLimited?: boolean;
  bookings: readonly BatchedBooking[];
}

type BatchedBooking = Pick<
  NewBooking,
  'bookingId' | 'requestId' | 'idempotencyKey' | 'customer' | 'quantity' | 'holdS' | 'allowanceLeft'
>;

/**
 * What a statement made of a batch. It booked all of it, and tells when if that is of interest; or it did nothing, and then
 * `available` is what was left when the statement began, or undefined if there is no such event.
 */
export type BatchResult = (
  | { isBooked: true; madeAt?: Date }
  | { isBooked: false; available: number | undefined }
) & {
  /** If the event has some, and the batch was not booked or is limited. */
  terms?: SaleTerms;
  /**
   * Of a limited batch, what its customers had before; whoever is not named had none. Left out if holds of theirs have
   * ended that still count.
   */
  tickets?: ReadonlyMap<string, number>;
};

/**
 * Takes the tickets of all bookings and writes their rows, or does nothing at all: if they do not all fit, a larger
 * token has booked, the event was reset since the oldest of them arrived, or there is no such event. One statement,
 * whole by itself; the row is locked for no longer than it takes to commit. If too few tickets are left when it begins,
 * or the terms of the event do not let it, it locks nothing, writes nothing and waits for nobody. (What is to be told to others because of a booking has its place
 * beside `inserted`: one more `insert` that reads it.)
 * @param areTermsKept the caller has locked the row and looked, as only he can where an event limits its customers
 */
export async function takeStockAndInsertAll(
  db: Db | Trx,
  batch: Batch,
  { areTermsKept = false }: { areTermsKept?: boolean } = {},
): Promise<BatchResult> {
  const { arrivedAtMs, eventId, strategy, instanceId, token, bookings } = batch;
  const total = totalOf(batch);
  const more = extrasOf(bookings);
  const { rows } = await sql<ResultRow>`
    with seen as (
      select available, ${SALE_TERMS} as terms from inventory where event_id = ${eventId}
    ), taken as (
      update inventory
      set available = available - ${total}, fence = coalesce(${token}::bigint, fence), version = version + 1
      where event_id = ${eventId} and available >= ${total} and fence <= coalesce(${token}::bigint, fence)
        and not ${beganAfter(arrivedAtMs)} and ${areTermsKept ? sql`true` : sellsAtOnce(largestOf(batch))}
      returning epoch, version${more.moment}
    ), inserted as (
      insert into bookings (id, request_id, event_id, epoch, stock_revision, quantity, customer, strategy, instance_id,
                            fencing_token${more.columns})
      select id, request_id, ${eventId}, epoch, version, quantity, customer, ${strategy}, ${instanceId}, ${token}::bigint
             ${more.values}
      from taken, unnest(${bookings.map(({ bookingId }) => bookingId)}::uuid[],
                         ${bookings.map(({ requestId }) => requestId)}::uuid[],
                         ${bookings.map(({ customer }) => customer)}::text[],
                         ${bookings.map(({ quantity }) => quantity)}::integer[]${more.arrays})
        as booking (id, request_id, customer, quantity${more.names})
      ${more.returning}
    )${more.held}
    select exists (select from taken) as "isBooked", (select available from seen) as available,
           (select terms from seen) as terms${more.madeAt}`.execute(db);
  return resultOf(rows[0], batch);
}

/**
 * The same for batches of different events, in one statement: each is booked whole or not at all. Rows that somebody
 * else has locked are passed over rather than waited for, so that no event waits for another one's; nor do two of these
 * statements, whatever order they lock rows in.
 *
 * A limited batch is booked if each of its customers has few enough tickets, as they were when the statement began, and
 * nobody has changed the counter since: everybody who books for the event does (see customer-tickets.ts), and so does
 * whoever gives tickets back. Had it waited for the row, its count would be of no use; that is why only this statement counts.
 *
 * @returns for each batch what became of it; one whose row was passed over would have fit when the statement began
 */
export async function takeStockAndInsertEach(db: Db, batches: readonly Batch[]): Promise<BatchResult[]> {
  const bookings = batches.flatMap(({ eventId, bookings }) =>
    bookings.map((booking) => ({ ...booking, eventId })),
  );
  const limits = limitsOf(batches);
  const more = extrasOf(bookings, limits.bookings);
  const { rows } = await sql<ResultRow & { eventId: number }>`
    with wanted as materialized (
      select wanted.*, (select available from inventory where inventory.event_id = wanted.event_id) as seen,
             (select ${SALE_TERMS} from inventory where inventory.event_id = wanted.event_id) as terms${limits.seen}
      from unnest(${batches.map(({ eventId }) => eventId)}::integer[],
                  ${batches.map(({ token }) => token)}::bigint[],
                  ${batches.map(totalOf)}::integer[],
                  ${batches.map(largestOf)}::integer[],
                  ${agesSince(batches.map(({ arrivedAtMs }) => arrivedAtMs))}::float8[],
                  ${batches.map(({ strategy }) => strategy)}::text[],
                  ${batches.map(({ instanceId }) => instanceId)}::text[])
        as wanted (event_id, token, total, largest, age_ms, strategy, instance_id)
    )${limits.counts}, free as (
      select event_id from inventory
      where event_id in (select event_id from wanted where seen >= total) for update skip locked
    ), taken as (
      update inventory
      set available = available - total, fence = coalesce(token, fence), version = version + 1
      from wanted join free using (event_id)
      where inventory.event_id = wanted.event_id and available >= total and fence <= coalesce(token, fence)
        and not ${beganWithin(sql`age_ms`)} and ${sellsAtOnce(sql`largest`, limits.areKept)}
      returning inventory.event_id, epoch, version, token, strategy, instance_id${more.moment}${limits.limit}
    ), inserted as (
      insert into bookings (id, request_id, event_id, epoch, stock_revision, quantity, customer, strategy, instance_id,
                            fencing_token${more.columns})
      select id, request_id, event_id, epoch, version, quantity, customer, strategy, instance_id, token${more.values}
      from taken join unnest(${bookings.map(({ bookingId }) => bookingId)}::uuid[],
                             ${bookings.map(({ requestId }) => requestId)}::uuid[],
                             ${bookings.map(({ eventId }) => eventId)}::integer[],
                             ${bookings.map(({ quantity }) => quantity)}::integer[],
                             ${bookings.map(({ customer }) => customer)}::text[]${more.arrays})
        as booking (id, request_id, event_id, quantity, customer${more.names}) using (event_id)
      ${more.returning}
    )${more.held}
    select wanted.event_id as "eventId", taken.event_id is not null as "isBooked", seen as available,
           terms${more.madeAtOfEach}${limits.tickets}
    from wanted left join taken using (event_id)`.execute(db);
  const byEvent = new Map(rows.map((row) => [row.eventId, row]));
  return batches.map((batch) => resultOf(byEvent.get(batch.eventId), batch, limits));
}

/** What is added to the statement where customers are limited. Where none of the batches is, it costs nothing. */
type Limits = Record<'seen' | 'counts' | 'limit' | 'tickets', RawBuilder<unknown>> & {
  areKept: RawBuilder<boolean>;
  /** The customers of limited batches, in the order in which their tickets are told. */
  customers: readonly { eventId: number; customer: string }[];
  /** For each booking, its customer's place among them, from 1, and what he asks for in this batch up to and with it. */
  bookings?: readonly { place: number | null; askedByThen: number }[];
};

function limitsOf(batches: readonly Batch[]): Limits {
  if (!batches.some(({ isLimited }) => isLimited)) return UNLIMITED;
  const asked: { eventId: number; customer: string; total: number; place: number }[] = [];
  const bookings = batches.flatMap(({ eventId, bookings, isLimited }) => {
    const seen = new Map<string, (typeof asked)[number]>();
    return bookings.map(({ customer, quantity }) => {
      if (!isLimited) return { place: null, askedByThen: 0 };
      const one = seen.get(customer) ?? { eventId, customer, total: 0, place: asked.length + 1 };
      if (one.total === 0) asked.push(one);
      seen.set(customer, one);
      one.total += quantity;
      return { place: one.place, askedByThen: one.total };
    });
  });
  const had = ticketsOfCustomer({
    eventId: sql`wanted.event_id`,
    epoch: sql`seen_epoch`,
    customer: sql`asked.customer`,
  });
  return {
    seen: sql`,
             (select epoch from inventory where inventory.event_id = wanted.event_id) as seen_epoch,
             (select version from inventory where inventory.event_id = wanted.event_id) as seen_version,
             (select max_per_customer from inventory where inventory.event_id = wanted.event_id) as seen_limit`,
    counts: sql`, asked as materialized (
      select event_id, asked.customer, place, asked, seen_limit, coalesce(tickets, 0) as tickets,
             coalesce("hasEnded", false) as has_ended
      from unnest(${asked.map(({ eventId }) => eventId)}::integer[],
                  ${asked.map(({ customer }) => customer)}::text[],
                  ${asked.map(({ total }) => total)}::integer[]) with ordinality
        as asked (event_id, customer, asked, place)
      join wanted using (event_id) left join lateral (${had}) as had on true
    ), counted as materialized (
      select array_agg(tickets::integer order by place) as tickets from asked
    ), kept as materialized (
      select event_id from asked group by event_id
      having bool_and(tickets + asked <= seen_limit and not has_ended and customer <> ${sql.lit(ANONYMOUS)})
    )`,
    areKept: sql`(version = seen_version and max_per_customer = seen_limit
      and wanted.event_id in (select event_id from kept))`,
    limit: sql`, max_per_customer`,
    tickets: sql`,
           (select tickets from counted) as tickets,
           (select bool_or(has_ended) from asked where asked.event_id = wanted.event_id) as "hasEnded"`,
    bookings,
    customers: asked,
  };
}

/**
 * What only some bookings have: a key, an end until which they are held, or an allowance that they leave. Where none of a batch does, the columns'
 * defaults say so, and it costs nothing.
 */
function extrasOf(bookings: readonly BatchedBooking[], limited?: Limits['bookings']): Extras {
  const hasNone = ({ idempotencyKey, holdS, allowanceLeft = null }: BatchedBooking) =>
    idempotencyKey === null && holdS === null && allowanceLeft === null;
  if (limited === undefined && bookings.every(hasNone)) return NOTHING;
  const allowance =
    limited === undefined
      ? {
          array: sql`${bookings.map(({ allowanceLeft = null }) => allowanceLeft)}::integer[]`,
          names: sql`allowance_left`,
          value: sql`allowance_left`,
        }
      : {
          array: sql`${limited.map(({ place }) => place)}::integer[],
                     ${limited.map(({ askedByThen }) => askedByThen)}::integer[]`,
          names: sql`place, asked_by_then`,
          value: sql`max_per_customer - (select tickets from counted)[place] - asked_by_then`,
        };
  return {
    // Once the row is ours, so that a hold lasts as long as was asked for, however long its statement has waited.
    moment: sql`, greatest(clock_timestamp(), holds_ended_until) as made_at`,
    arrays: sql`, ${bookings.map(({ idempotencyKey }) => idempotencyKey)}::text[],
                  ${bookings.map(({ holdS }) => holdS)}::integer[],
                  ${allowance.array}`,
    names: sql`, idempotency_key, hold_s, ${allowance.names}`,
    columns: sql`, idempotency_key, hold_s, allowance_left, state, created_at, expires_at`,
    values: sql`, idempotency_key, hold_s, ${allowance.value},
             (case when hold_s is null then 'confirmed' else 'held' end)::booking_state, made_at,
             case when hold_s is not null then ${endOfHold(sql`made_at`, sql`hold_s`)} end`,
    returning: sql`returning event_id, epoch, expires_at, quantity, state`,
    held: sql`, held as (
      insert into held_stock (event_id, epoch, ends_at, quantity)
      select event_id, epoch, expires_at, sum(quantity) from inserted where state = 'held'
      group by event_id, epoch, expires_at order by expires_at
      on conflict (event_id, epoch, ends_at) do update set quantity = held_stock.quantity + excluded.quantity
    )`,
    madeAt: sql`, (select made_at from taken) as "madeAt"`,
    madeAtOfEach: sql`, made_at as "madeAt"`,
  };
}

type Extras = Record<
  'moment' | 'arrays' | 'names' | 'columns' | 'values' | 'returning' | 'held' | 'madeAt' | 'madeAtOfEach',
  RawBuilder<unknown>
>;

const none = sql``;
const NOTHING: Extras = {
  moment: none,
  arrays: none,
  names: none,
  columns: none,
  values: none,
  returning: none,
  held: none,
  madeAt: none,
  madeAtOfEach: none,
};
const UNLIMITED: Limits = {
  seen: none,
  counts: none,
  areKept: sql`false`,
  limit: none,
  tickets: none,
  customers: [],
};

interface ResultRow {
  isBooked: boolean;
  available: number | null;
  terms: SaleTerms | null;
  madeAt?: Date | null;
  tickets?: number[] | null;
  hasEnded?: boolean | null;
}

/** Tickets that a batch asks for. */
export function totalOf({ bookings }: Batch): number {
  return bookings.reduce((sum, { quantity }) => sum + quantity, 0);
}

/** What `sellsAtOnce` says in SQL, of terms that were read. */
export function isSoldAtOnce({ isOnSale, maxPerBooking, maxPerCustomer }: SaleTerms, batch: Batch): boolean {
  return (
    isOnSale && maxPerCustomer === null && largestOf(batch) <= (maxPerBooking ?? Number.POSITIVE_INFINITY)
  );
}

/** What the largest of its bookings asks for. */
function largestOf({ bookings }: Batch): number {
  return Math.max(...bookings.map(({ quantity }) => quantity));
}

function resultOf(
  row: ResultRow | undefined,
  { eventId, isLimited = false }: Batch,
  { customers }: Pick<Limits, 'customers'> = UNLIMITED,
): BatchResult {
  const { isBooked = false, available, terms, madeAt, tickets, hasEnded } = row ?? {};
  const limits = {
    ...(terms && (isLimited || !isBooked) && { terms }),
    ...(isLimited && tickets && !hasEnded && { tickets: ticketsOf(eventId, customers, tickets) }),
  };
  if (isBooked) return { isBooked, ...(madeAt && { madeAt }), ...limits };
  return { isBooked, available: available ?? undefined, ...limits };
}

function ticketsOf(
  eventId: number,
  customers: Limits['customers'],
  tickets: readonly number[],
): Map<string, number> {
  const had = customers.map(({ customer }, i) => [customer, tickets[i] ?? 0] as const);
  return new Map(had.filter((_, i) => customers[i]?.eventId === eventId));
}

/**
 * Raises the fence of an event whose row is locked: from here on, no statement sent under a smaller token can change
 * it, not even one that is still on its way.
 */
export async function raiseFence(
  trx: Trx,
  { eventId, token }: { eventId: number; token: number },
): Promise<void> {
  await trx
    .updateTable('inventory')
    .set({ fence: token })
    .where('event_id', '=', eventId)
    .where('fence', '<', token)
    .execute();
}

/** Which of the requests that arrived then did so before the event's present epoch began. */
export async function findArrivalsBeforeEpoch(
  trx: Trx,
  { eventId, arrivals }: { eventId: number; arrivals: readonly number[] },
): Promise<boolean[]> {
  const { rows } = await sql<{ isBefore: boolean }>`
    select ${beganWithin(sql`age_ms`)} as "isBefore"
    from inventory, unnest(${agesSince(arrivals)}::float8[]) with ordinality as arrival (age_ms, position)
    where event_id = ${eventId} order by position`.execute(trx);
  return rows.map(({ isBefore }) => isBefore);
}
