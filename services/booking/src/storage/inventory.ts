import { type RawBuilder, sql } from 'kysely';

import { mark } from '#src/marks.ts';

import { beganAfter } from './arrival.ts';
import { SALE_TERMS, type SaleTerms } from './sale-terms.ts';
import type { Db, Trx } from './schema.ts';

/** An event's counter row as it was at the moment of reading. */
export interface Stock {
  available: number;
  version: number;
  fence: number;
  epoch: number;
  changes: number;
  /** The event was reset after the request for which this was read had arrived. */
  isOfLaterEpoch: boolean;
  terms: SaleTerms | null;
}

/** Locks nothing: what it returns may be false by the time that the caller looks at it. */
export async function readStock(
  db: Db | Trx,
  eventId: number,
  arrivedAtMs?: number,
): Promise<Stock | undefined> {
  mark('reads');
  const { rows } = await sql<Stock>`${selectStock(eventId, arrivedAtMs)}`.execute(db);
  mark('read', rows[0]?.available);
  return rows[0];
}

/**
 * Holds the event's row until the transaction ends: what it returns stays true until then.
 * @returns undefined if there is no such event, or its row is locked by somebody else and may not be waited for
 */
export async function lockStock(
  trx: Trx,
  eventId: number,
  { arrivedAtMs, mayWait = true }: { arrivedAtMs?: number | undefined; mayWait?: boolean } = {},
): Promise<Stock | undefined> {
  mark('waits');
  const { rows } = await sql<Stock>`
    ${selectStock(eventId, arrivedAtMs)} for update ${mayWait ? sql`` : sql`skip locked`}`.execute(trx);
  mark('holds');
  mark('read', rows[0]?.available);
  return rows[0];
}

function selectStock(eventId: number, arrivedAtMs: number | undefined): RawBuilder<Stock> {
  return sql`
    select available, version, fence, epoch, changes, ${beganAfter(arrivedAtMs)} as "isOfLaterEpoch",
           ${SALE_TERMS} as terms
    from inventory where event_id = ${eventId}`;
}

/** Nobody else who asks for the same event's advisory lock goes on until the transaction ends. */
export async function lockEventByAdvisory(trx: Trx, eventId: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${ADVISORY_CLASS}, ${eventId})`.execute(trx);
}

/** The first key of our advisory locks, so that they meet no other program's. */
const ADVISORY_CLASS = 1_818_326_132;

/** A write to the counter: its row is locked until the commit, so that revisions are in commit order and terms stand. */
export interface Taken {
  stockRevision: number;
  terms: SaleTerms | null;
}

const TAKEN = sql`returning version as "stockRevision", ${SALE_TERMS} as terms`;

/** The stock that a strategy has decided on, written as it is: whatever was booked since it was read is lost. */
interface Decided {
  eventId: number;
  epoch: number;
  available: number;
}

/**
 * Compares what only an operator changes. Other bookings it does not see: keeping those out is the business of the
 * strategy's guard, and an operator takes no part in it.
 * @returns undefined if the event was reset, or its stock changed by something else than a
 *   booking, since it was read
 */
export async function writeStock(
  trx: Trx,
  { eventId, epoch, changes, available }: Decided & { changes: number },
): Promise<Taken | undefined> {
  mark('writes');
  const { rows } = await sql<Taken>`
    update inventory set available = ${available}, version = version + 1
    where event_id = ${eventId} and epoch = ${epoch} and changes = ${changes}
    ${TAKEN}`.execute(trx);
  mark('written', rows[0]?.stockRevision);
  return rows[0];
}

/** @returns undefined if anything at all changed the row since `version` was read */
export async function writeStockIfUnchanged(
  trx: Trx,
  { eventId, epoch, available, version }: Decided & { version: number },
): Promise<Taken | undefined> {
  mark('writes');
  const { rows } = await sql<Taken>`
    update inventory set available = ${available}, version = version + 1
    where event_id = ${eventId} and epoch = ${epoch} and version = ${version}
    ${TAKEN}`.execute(trx);
  mark('written', rows[0]?.stockRevision);
  return rows[0];
}

/**
 * Takes tickets, whoever else has taken some meanwhile.
 * @returns undefined if the event was reset, or there are too few left
 */
export async function takeStock(
  trx: Trx,
  { eventId, epoch, quantity }: { eventId: number; epoch: number; quantity: number },
): Promise<Taken | undefined> {
  mark('writes');
  const { rows } = await sql<Taken>`
    update inventory set available = available - ${quantity}, version = version + 1
    where event_id = ${eventId} and epoch = ${epoch} and available >= ${quantity}
    ${TAKEN}`.execute(trx);
  mark('written', rows[0]?.stockRevision);
  return rows[0];
}

/**
 * Takes tickets in the name of a fencing token.
 * @returns undefined if a larger token has booked, the event was reset, or there are too few left
 */
export async function takeStockFenced(
  trx: Trx,
  { eventId, epoch, quantity, token }: { eventId: number; epoch: number; quantity: number; token: number },
): Promise<Taken | undefined> {
  mark('writes');
  const { rows } = await sql<Taken>`
    update inventory set available = available - ${quantity}, fence = ${token}, version = version + 1
    where event_id = ${eventId} and epoch = ${epoch} and fence <= ${token} and available >= ${quantity}
    ${TAKEN}`.execute(trx);
  mark('written', rows[0]?.stockRevision);
  return rows[0];
}
