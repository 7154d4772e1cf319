import { sql } from 'kysely';

import { lockEventByAdvisory, lockStock } from './inventory.ts';
import type { Db, Trx } from './schema.ts';

export interface EventRow {
  id: number;
  name: string;
  capacity: number;
  available: number;
  booked: number;
  oversold: number;
  /** Of what an operator changes: name and capacity. */
  revision: number;
  /** Of what buyers change. */
  stockRevision: number;
}

/**
 * Who says how many tickets are booked. The counter: that costs the same whatever was sold. Or the booking rows, which
 * are right even where `no-lock` has sold behind the counter's back: that costs a look at each row of the event.
 */
export type CountedBy = 'counter' | 'rows';

/** Each is one statement, so that counter and rows are of one moment. */
const selectEvent = {
  counter: sql`
    select e.id, e.name, i.capacity, i.available, i.capacity - i.available as booked, 0 as oversold,
           e.revision, i.version as "stockRevision"
    from events e
    join inventory i on i.event_id = e.id`,
  rows: sql`
    select e.id, e.name, i.capacity, i.available, b.booked, greatest(0, b.booked - i.capacity) as oversold,
           e.revision, i.version as "stockRevision"
    from events e
    join inventory i on i.event_id = e.id
    cross join lateral (
      select coalesce(sum(quantity), 0) as booked from bookings where event_id = e.id and epoch = i.epoch
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
  const { rows } = await sql`select from events where id = ${id}`.execute(db);
  return rows.length > 0;
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
  { name, capacity }: { name: string; capacity: number },
): Promise<EventRow> {
  const { rows } = await sql<{ id: number }>`
    with created as (insert into events (name) values (${name}) returning id)
    insert into inventory (event_id, capacity, available) select id, ${capacity}, ${capacity} from created
    returning event_id as id`.execute(db);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the event was created without an id');
  return { id, name, capacity, available: capacity, booked: 0, oversold: 0, revision: 1, stockRevision: 0 };
}

/**
 * `below_booked`: the capacity asked for is smaller than what has been sold. `other_revision`: it was changed since the
 * revision that the change was meant for.
 */
export type EventChange =
  | { code: 'changed'; event: EventRow }
  | { code: 'other_revision'; event: EventRow }
  | { code: 'below_booked'; booked: number }
  | undefined;

/**
 * Changes name or capacity, holding the event's row so that no booking commits between the look and the new capacity.
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
  { name, capacity }: { name?: string | undefined; capacity?: number | undefined },
  isExpected: (revision: number) => boolean = () => true,
): Promise<EventChange> {
  // In the order of those who book: first the advisory lock, then the row. The other way round is a deadlock.
  await lockEventByAdvisory(trx, id);
  if ((await lockStock(trx, id)) === undefined) return undefined;
  const before = await findEvent(trx, id, 'counter');
  if (before === undefined) return undefined;
  if (!isExpected(before.revision)) return { code: 'other_revision', event: before };
  if (capacity !== undefined) {
    if (capacity < before.booked) return { code: 'below_booked', booked: before.booked };
    await sql`
      update inventory set capacity = ${capacity}, available = ${capacity - before.booked},
        version = version + 1, changes = changes + 1
      where event_id = ${id}`.execute(trx);
  }
  await sql`
    update events set name = ${name ?? before.name}, revision = revision + 1 where id = ${id}`.execute(trx);
  const event = { ...before, name: name ?? before.name, revision: before.revision + 1 };
  if (capacity === undefined) return { code: 'changed', event };
  const stockRevision = before.stockRevision + 1;
  return {
    code: 'changed',
    event: { ...event, capacity, available: capacity - before.booked, stockRevision },
  };
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
  const { rows } = await sql<{
    epoch: number;
    name: string;
    capacity: number;
    revision: number;
    stockRevision: number;
  }>`
    with begun as (
      update inventory set epoch = epoch + 1, epoch_began_at = clock_timestamp(), version = version + 1,
        capacity = coalesce(${tickets ?? null}, capacity), available = coalesce(${tickets ?? null}, capacity)
      where event_id = ${id}
      returning event_id, epoch, capacity, version
    )
    update events set revision = revision + 1 from begun where id = event_id
    returning epoch, name, capacity, revision, version as "stockRevision"`.execute(db);
  return rows.map(({ epoch, ...stored }) => {
    const { capacity } = stored;
    const event = { id, ...stored, available: capacity, booked: 0, oversold: 0 };
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
    await sql`insert into events (id, name) values (${id}, ${name}) on conflict do nothing`.execute(trx);
    await sql`
      insert into inventory (event_id, capacity, available) values (${id}, ${capacity}, ${capacity})
      on conflict do nothing`.execute(trx);
  }
}
