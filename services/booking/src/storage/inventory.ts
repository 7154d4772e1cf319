import { sql } from 'kysely';

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
  await mark('reads');
  const stock = await selectStock(db, eventId, arrivedAtMs).executeTakeFirst();
  await mark('read', stock?.available);
  return stock;
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
  await mark('waits');
  const locking = selectStock(trx, eventId, arrivedAtMs).forUpdate();
  const stock = await (mayWait ? locking : locking.skipLocked()).executeTakeFirst();
  await mark('holds');
  await mark('read', stock?.available);
  return stock;
}

function selectStock(db: Db | Trx, eventId: number, arrivedAtMs: number | undefined) {
  return db
    .selectFrom('inventory')
    .select(['available', 'version', 'fence', 'epoch', 'changes'])
    .select([beganAfter(arrivedAtMs).as('isOfLaterEpoch'), SALE_TERMS.as('terms')])
    .where('event_id', '=', eventId);
}

/** Nobody else who asks for the same event's advisory lock goes on until the transaction ends. */
export async function lockEventByAdvisory(trx: Trx, eventId: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${ADVISORY_CLASS}, ${eventId})`.execute(trx);
}

/**
 * Keeps out everybody who decides on the event, by whichever guard. In the order of those who book: first the advisory
 * lock, then the row. The other way round is a deadlock.
 */
export async function lockEvent(trx: Trx, eventId: number): Promise<Stock | undefined> {
  await lockEventByAdvisory(trx, eventId);
  return lockStock(trx, eventId);
}

/** The first key of our advisory locks, so that they meet no other program's. */
const ADVISORY_CLASS = 1_818_326_132;

/** A write to the counter: its row is locked until the commit, so that revisions are in commit order and terms stand. */
export interface Taken {
  stockRevision: number;
  terms: SaleTerms | null;
}

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
  { changes, available, ...decided }: Decided & { changes: number },
): Promise<Taken | undefined> {
  return write(stockOf(trx, decided).set({ available }).where('changes', '=', changes));
}

/** @returns undefined if anything at all changed the row since `version` was read */
export async function writeStockIfUnchanged(
  trx: Trx,
  { available, version, ...decided }: Decided & { version: number },
): Promise<Taken | undefined> {
  return write(stockOf(trx, decided).set({ available }).where('version', '=', version));
}

/**
 * Takes tickets, whoever else has taken some meanwhile.
 * @returns undefined if the event was reset, or there are too few left
 */
export async function takeStock(
  trx: Trx,
  { quantity, ...from }: { eventId: number; epoch: number; quantity: number },
): Promise<Taken | undefined> {
  return write(takeFrom(stockOf(trx, from), quantity));
}

/**
 * Takes tickets in the name of a fencing token.
 * @returns undefined if a larger token has booked, the event was reset, or there are too few left
 */
export async function takeStockFenced(
  trx: Trx,
  { quantity, token, ...from }: { eventId: number; epoch: number; quantity: number; token: number },
): Promise<Taken | undefined> {
  return write(takeFrom(stockOf(trx, from), quantity).set({ fence: token }).where('fence', '<=', token));
}

/** The counter of an event, if it was not reset since the epoch was read; each change of it is a new revision. */
function stockOf(trx: Trx, { eventId, epoch }: { eventId: number; epoch: number }) {
  return trx
    .updateTable('inventory')
    .set((row) => ({ version: row('version', '+', 1) }))
    .where('event_id', '=', eventId)
    .where('epoch', '=', epoch);
}

type StockUpdate = ReturnType<typeof stockOf>;

function takeFrom(stock: StockUpdate, quantity: number): StockUpdate {
  return stock
    .set((row) => ({ available: row('available', '-', quantity) }))
    .where('available', '>=', quantity);
}

async function write(update: StockUpdate): Promise<Taken | undefined> {
  await mark('writes');
  const taken = await update
    .returning(['version as stockRevision', SALE_TERMS.as('terms')])
    .executeTakeFirst();
  await mark('written', taken?.stockRevision);
  return taken;
}
