import { sql } from 'kysely';

import { endHolds, heldStockOf } from './held-stock.ts';
import { lockEvent } from './inventory.ts';
import type { Db, Trx } from './schema.ts';

/** When it is on sale, and to whom how many; null where there is no such limit. */
export interface EventTerms {
  salesOpenAt: Date | null;
  salesCloseAt: Date | null;
  maxPerBooking: number | null;
  maxPerCustomer: number | null;
}

interface Settable extends EventTerms {
  name: string;
  capacity: number;
  honoursLatePayment: boolean;
}

/** What an operator says of an event. What is left out stays as it is, or as it is by default. */
export type EventInput = { [Field in keyof Settable]?: Settable[Field] | undefined };

export interface EventRow extends EventTerms {
  id: number;
  name: string;
  capacity: number;
  honoursLatePayment: boolean;
  /** Those of ended holds among them. */
  available: number;
  booked: number;
  held: number;
  oversold: number;
  /** Grows with every change by an operator, and with a reset. */
  revision: number;
  /** Of what buyers change. */
  stockRevision: number;
}

/**
 * Who says how many tickets are booked. The counter: that costs the same whatever was sold. Or the booking rows, which
 * are right even where `no-lock` has sold behind the counter's back: that costs a look at each row of the event.
 */
export type CountedBy = 'counter' | 'rows';

const EVENT_TERMS = sql`
  honours_late_payment as "honoursLatePayment",
  sales_open_at as "salesOpenAt", sales_close_at as "salesCloseAt",
  max_per_booking as "maxPerBooking", max_per_customer as "maxPerCustomer"`;

/** Each is one statement, so that counter and rows are of one moment. */
const selectEvent = {
  counter: sql`
    select e.id, e.name, i.capacity, i.available + ended as available, i.capacity - i.available - ended - held as booked,
           held, 0 as oversold, e.revision, i.version as "stockRevision", ${EVENT_TERMS}
    from events e
    join inventory i on i.event_id = e.id
    cross join lateral ${heldStockOf(sql`e.id`, sql`i.epoch`)}`,
  rows: sql`
    select e.id, e.name, i.capacity, i.available + ended as available, b.booked, held,
           greatest(0, b.booked + held - i.capacity) as oversold, e.revision, i.version as "stockRevision", ${EVENT_TERMS}
    from events e
    join inventory i on i.event_id = e.id
    cross join lateral ${heldStockOf(sql`e.id`, sql`i.epoch`)}
    cross join lateral (
      select coalesce(sum(quantity), 0) as booked from bookings
      where event_id = e.id and epoch = i.epoch and state = 'confirmed'
    ) b`,
};

export async function findEvent(
  db: Db | Trx,
  id: number,
  countedBy: CountedBy,
): Promise<EventRow | undefined> {
  const { rows } = await sql<EventRow>`${selectEvent[countedBy]} where e.id = ${id}`.execute(db);
  return rows[0];
}

export async function eventExists(db: Db, id: number): Promise<boolean> {
  const found = await db.selectFrom('events').select('id').where('id', '=', id).executeTakeFirst();
  return found !== undefined;
}

export async function eventHonoursLatePayment(db: Db, id: number): Promise<boolean> {
  const event = await db
    .selectFrom('events')
    .select('honours_late_payment')
    .where('id', '=', id)
    .executeTakeFirst();
  return event?.honours_late_payment === true;
}

/** Events in the order of their ids: so many after that one. */
export interface Page {
  after: number;
  limit: number;
}

export async function listEvents(db: Db, { after, limit }: Page, countedBy: CountedBy): Promise<EventRow[]> {
  const { rows } = await sql<EventRow>`
    ${selectEvent[countedBy]} where e.id > ${after} order by e.id limit ${limit}`.execute(db);
  return rows;
}

export async function createEvent(
  db: Db,
  {
    name,
    capacity,
    honoursLatePayment = false,
    salesOpenAt = null,
    salesCloseAt = null,
    maxPerBooking = null,
    maxPerCustomer = null,
  }: EventInput & { name: string; capacity: number },
): Promise<EventRow> {
  const { rows } = await sql<{ id: number }>`
    with created as (
      insert into events (name, honours_late_payment) values (${name}, ${honoursLatePayment}) returning id
    )
    insert into inventory (event_id, capacity, available, sales_open_at, sales_close_at, max_per_booking,
                           max_per_customer)
    select id, ${capacity}, ${capacity}, ${salesOpenAt}::timestamptz, ${salesCloseAt}::timestamptz,
           ${maxPerBooking}::integer, ${maxPerCustomer}::integer
    from created
    returning event_id as id`.execute(db);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the event was created without an id');
  return {
    id,
    name,
    capacity,
    honoursLatePayment,
    available: capacity,
    booked: 0,
    held: 0,
    oversold: 0,
    revision: 1,
    stockRevision: 0,
    salesOpenAt,
    salesCloseAt,
    maxPerBooking,
    maxPerCustomer,
  };
}

/**
 * `below_booked`: the capacity asked for is smaller than what has been sold and what is held. `other_revision`: it was
 * changed since the revision that the change was meant for. `closes_before_it_opens`: the sale would.
 */
export type EventChange =
  | { code: 'changed'; event: EventRow }
  | { code: 'other_revision'; event: EventRow }
  | { code: 'below_booked'; booked: number }
  | { code: 'closes_before_it_opens' }
  | undefined;

/**
 * Changes an event, holding the event's row so that no booking commits between the look and the new capacity.
 * What is booked is what the counter says, at a cost that does not grow with the event: tickets that `no-lock` has sold
 * behind its back are not seen (`make audit` finds them).
 *
 * Bookings that are decided on but not yet written get to know of it: those under the advisory lock because it waits
 * for them, the others because `changes` is no longer what they read.
 * @param isExpected asked of the revision that is to be changed, once nobody else can change it
 * @returns undefined if there is no such event
 */
export async function lockAndChangeEvent(
  trx: Trx,
  id: number,
  { name, capacity, honoursLatePayment, ...terms }: EventInput,
  isExpected: (revision: number) => boolean = () => true,
): Promise<EventChange> {
  if ((await lockEvent(trx, id)) === undefined) return undefined;
  const before = await findEvent(trx, id, 'counter');
  if (before === undefined) return undefined;
  if (!isExpected(before.revision)) return { code: 'other_revision', event: before };
  const changedTerms = withoutUndefined(terms);
  const newTerms = { ...before, ...changedTerms };
  if (closesBeforeItOpens(newTerms)) return { code: 'closes_before_it_opens' };
  await endHolds(trx, id);
  if (capacity !== undefined) {
    const { numUpdatedRows } = await trx
      .updateTable('inventory')
      .set({
        capacity,
        available: sql`available + ${capacity} - capacity`,
        version: sql`version + 1`,
        changes: sql`changes + 1`,
      })
      .where('event_id', '=', id)
      .where(sql<boolean>`available + ${capacity} - capacity >= 0`)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) {
      const { booked = 0, held = 0 } = (await findEvent(trx, id, 'counter')) ?? {};
      return { code: 'below_booked', booked: booked + held };
    }
  }
  if (Object.keys(changedTerms).length > 0) await writeTerms(trx, id, newTerms);
  await trx
    .updateTable('events')
    .set({
      revision: sql`revision + 1`,
      ...(name !== undefined && { name }),
      ...(honoursLatePayment !== undefined && { honours_late_payment: honoursLatePayment }),
    })
    .where('id', '=', id)
    .execute();
  const event = await findEvent(trx, id, 'counter');
  return event && { code: 'changed', event };
}

export function closesBeforeItOpens({
  salesOpenAt = null,
  salesCloseAt = null,
}: Pick<EventInput, 'salesOpenAt' | 'salesCloseAt'>): boolean {
  return salesOpenAt !== null && salesCloseAt !== null && salesCloseAt <= salesOpenAt;
}

function withoutUndefined(terms: Partial<Record<keyof EventTerms, unknown>>): Partial<EventTerms> {
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

async function writeTerms(
  trx: Trx,
  id: number,
  { salesOpenAt, salesCloseAt, maxPerBooking, maxPerCustomer }: EventTerms,
): Promise<void> {
  await trx
    .updateTable('inventory')
    .set({
      sales_open_at: salesOpenAt,
      sales_close_at: salesCloseAt,
      max_per_booking: maxPerBooking,
      max_per_customer: maxPerCustomer,
    })
    .where('event_id', '=', id)
    .execute();
}

/**
 * Begins a new epoch with all tickets free; the fence stays, for a late holder is late in the new epoch too. Requests
 * that arrived before it are not booked in it (see arrival.ts).
 * @returns the event as it begins the new epoch, or undefined if there is no such event
 */
export async function beginEpoch(
  db: Db,
  id: number,
  tickets: number | undefined,
): Promise<{ epoch: number; event: EventRow } | undefined> {
  const { rows } = await sql<
    Pick<
      EventRow,
      keyof EventTerms | 'name' | 'capacity' | 'honoursLatePayment' | 'revision' | 'stockRevision'
    > & {
      epoch: number;
    }
  >`
    with begun as (
      update inventory set epoch = epoch + 1, epoch_began_at = clock_timestamp(), version = version + 1,
        capacity = coalesce(${tickets ?? null}, capacity), available = coalesce(${tickets ?? null}, capacity)
      where event_id = ${id}
      returning inventory.*
    )
    update events set revision = revision + 1 from begun where id = event_id
    returning epoch, name, capacity, revision, version as "stockRevision", ${EVENT_TERMS}`.execute(db);
  return rows.map(({ epoch, ...stored }) => {
    const { capacity } = stored;
    const event = { id, ...stored, available: capacity, booked: 0, held: 0, oversold: 0 };
    return { epoch, event };
  })[0];
}

/** Events that exist after the first start; whatever has become of them since is left as it is. */
const seeds = [
  { id: 1, name: 'Last seat', capacity: 1 },
  { id: 2, name: 'Small hall', capacity: 100 },
  { id: 3, name: 'Arena', capacity: 10_000 },
];

export async function seedEvents(trx: Trx): Promise<void> {
  for (const { id, name, capacity } of seeds) {
    await trx
      .insertInto('events')
      .values({ id, name })
      .onConflict((it) => it.doNothing())
      .execute();
    await trx
      .insertInto('inventory')
      .values({ event_id: id, capacity, available: capacity })
      .onConflict((it) => it.doNothing())
      .execute();
  }
}
