import { takeStockAndInsertAll, takeStockAndInsertEach } from '../../services/booking/src/storage/batches.ts';
import {
  findBookedIds,
  insertBooking,
  takeStockAndInsertBooking,
} from '../../services/booking/src/storage/bookings.ts';
import { lockStockAndCancelBooking } from '../../services/booking/src/storage/cancellations.ts';
import type { Connections } from '../../services/booking/src/storage/connections.ts';
import { eventExists } from '../../services/booking/src/storage/events.ts';
import { findFirstBookings } from '../../services/booking/src/storage/first-bookings.ts';
import { readStockNow } from '../../services/booking/src/storage/held-stock.ts';
import { lockEventByAdvisory, lockStock, readStock } from '../../services/booking/src/storage/inventory.ts';
import { limitWaits } from '../../services/booking/src/storage/pool.ts';
import type { Trx } from '../../services/booking/src/storage/schema.ts';
import { allowIdle } from '../../services/booking/src/storage/transaction.ts';
import { IDLE_IN_TRANSACTION_MS } from '../../services/booking/src/time-limits.ts';
import {
  bookingLock,
  rowLock,
  type BookingRow,
  type Statement,
  type StockRow,
  type Transaction,
} from './postgres.ts';
import { stockUpdate } from './stock-update.ts';

/**
 * The statements of the service that the model of Postgres knows, and what each of them does. A statement is known by its
 * text, which the service's own function says here with values that are found again in its parameters; so the parameters
 * may change their places. What the text means is said here once more, by hand.
 */
export type Values = readonly unknown[];

/** @throws Error a statement that has no model */
export function statementOf(text: string, values: Values): { name: string; run: Statement } {
  const known = models.get(text);
  if (known !== undefined) {
    return {
      name: known.name,
      run: (trx) => known.does(trx, (mark) => values[known.places.get(mark) ?? -1]),
    };
  }
  const update = stockUpdate(text, values);
  if (update !== undefined) return { name: 'update inventory', run: update };
  throw new Error(`the model of Postgres does not know this statement; teach it in statements.ts:\n${text}`);
}

type Read = (mark: unknown) => unknown;
type Does = (trx: Transaction, value: Read) => ReturnType<Statement>;

interface Model {
  name: string;
  places: ReadonlyMap<unknown, number>;
  does: Does;
}

/** A number that stands for the event in the parameters, and so on. */
const MARK = {
  event: 9_001,
  quantity: 9_002,
  token: 9_003,
  epoch: 9_004,
  revision: 9_005,
  idle: 9_006,
  booking: 'booking-mark',
  request: 'request-mark',
  key: 'key-mark',
  customer: 'customer-mark',
  strategy: 'strategy-mark',
  instance: 'instance-mark',
} as const;

/** The quantity of a second booking. */
const OTHER = 500;

const models = new Map<string, Model>();
const booking = {
  bookingId: MARK.booking,
  requestId: MARK.request,
  idempotencyKey: null,
  eventId: MARK.event,
  quantity: MARK.quantity,
  holdS: null,
  customer: MARK.customer,
  strategy: MARK.strategy,
  instanceId: MARK.instance,
  fencingToken: MARK.token,
};
const keyed = { ...booking, idempotencyKey: MARK.key };
const batch = {
  eventId: MARK.event,
  strategy: MARK.strategy,
  instanceId: MARK.instance,
  token: MARK.token,
  arrivedAtMs: 0,
  bookings: [booking],
};

await model(
  'read events',
  (db) => eventExists(db, MARK.event),
  function* (trx, value) {
    const stock = trx.stock(value(MARK.event) as number);
    return stock === undefined ? [] : [{ id: stock.event_id }];
  },
);

await model('read inventory', (db) => readStock(db, MARK.event), read);
await model('read inventory', (db) => readStock(db, MARK.event, 0), read);

function* read(trx: Transaction, value: Read): ReturnType<Statement> {
  return stockRows(trx.stock(value(MARK.event) as number));
}

await model('lock inventory', (db) => lockStock(db, MARK.event), lockRow);
await model('lock inventory', (db) => lockStock(db, MARK.event, { arrivedAtMs: 0 }), lockRow);

function* lockRow(trx: Transaction, value: Read): ReturnType<Statement> {
  const eventId = value(MARK.event) as number;
  if (trx.stock(eventId) === undefined) return [];
  yield rowLock(eventId);
  return stockRows(trx.lockedStock(eventId));
}

await model(
  'lock inventory unless locked',
  (db) => lockStock(db, MARK.event, { mayWait: false }),
  tryLockRow,
);
await model(
  'lock inventory unless locked',
  (db) => lockStock(db, MARK.event, { mayWait: false, arrivedAtMs: 0 }),
  tryLockRow,
);

function* tryLockRow(trx: Transaction, value: Read): ReturnType<Statement> {
  const eventId = value(MARK.event) as number;
  if (trx.stock(eventId) === undefined || trx.isLocked(rowLock(eventId))) return [];
  yield rowLock(eventId);
  return stockRows(trx.lockedStock(eventId));
}

await model(
  'read stock now',
  (db) => readStockNow(db, MARK.event),
  function* (trx, value) {
    const stock = trx.stock(value(MARK.event) as number);
    if (stock === undefined) return [];
    return [{ available: stock.available, ended: 0, held: 0, nextEndAt: null, terms: null }];
  },
);

await model(
  'advisory lock',
  (db) => lockEventByAdvisory(db, MARK.event),
  function* (_, value) {
    yield `advisory ${value(MARK.event) as number}`;
    return [{ pg_advisory_xact_lock: '' }];
  },
);

await model(
  'allow idle',
  (db) => allowIdle(db, MARK.idle - IDLE_IN_TRANSACTION_MS),
  function* (trx, value) {
    const ms = value(String(MARK.idle)) as string;
    trx.allowIdle(Number(ms));
    return [{ set_config: `${ms}ms` }];
  },
);

await model(
  'insert booking',
  (db) => insertBooking(db, { ...keyed, epoch: MARK.epoch, stockRevision: MARK.revision }),
  function* (trx, value) {
    yield* trx.insert({
      id: value(MARK.booking) as string,
      request_id: value(MARK.request) as string,
      idempotency_key: value(MARK.key) as string | null,
      event_id: value(MARK.event) as number,
      quantity: value(MARK.quantity) as number,
      customer: value(MARK.customer) as string,
      strategy: value(MARK.strategy) as string,
      instance_id: value(MARK.instance) as string,
      fencing_token: value(MARK.token) as number | null,
      stock_revision: value(MARK.revision) as number,
      state: 'confirmed',
    });
    return 1;
  },
);

await model(
  'take stock and insert booking',
  (db) => takeStockAndInsertBooking(db, { ...keyed, arrivedAtMs: 0 }),
  function* (trx, value) {
    const eventId = value(MARK.event) as number;
    const quantity = value(MARK.quantity) as number;
    const seen = trx.stock(eventId);
    if (seen === undefined) return [];
    const hadEnough = seen.available >= quantity;
    if (!hadEnough) return [{ isBooked: false, hadEnough, terms: null }];
    yield rowLock(eventId);
    const stock = trx.lockedStock(eventId) as StockRow;
    if (stock.available < quantity) return [{ isBooked: false, hadEnough, terms: null }];
    const version = stock.version + 1;
    trx.change({ ...stock, available: stock.available - quantity, version });
    yield* trx.insert({
      id: value(MARK.booking) as string,
      request_id: value(MARK.request) as string,
      idempotency_key: value(MARK.key) as string | null,
      event_id: eventId,
      quantity,
      customer: value(MARK.customer) as string,
      strategy: value(MARK.strategy) as string,
      instance_id: value(MARK.instance) as string,
      fencing_token: value(MARK.token) as number | null,
      stock_revision: version,
      state: 'confirmed',
    });
    return [{ isBooked: true, hadEnough, terms: null }];
  },
);

await model('take stock and insert all', (db) => takeStockAndInsertAll(db, batch), takeAll);
await model(
  'take stock and insert all',
  (db) => takeStockAndInsertAll(db, { ...batch, arrivedAtMs: undefined }, { areTermsKept: true }),
  takeAll,
);

function* takeAll(trx: Transaction, value: Read): ReturnType<Statement> {
  const eventId = value(MARK.event) as number;
  const seen = trx.stock(eventId);
  const quantities = value(list(MARK.quantity)) as number[];
  const total = quantities.reduce((sum, quantity) => sum + quantity, 0);
  const token = value(MARK.token) as number | null;
  const fits = (stock: StockRow | undefined) => stock !== undefined && mayTake(stock, total, token);
  const refused = [{ isBooked: false, available: seen?.available ?? null, terms: null }];
  if (!fits(seen)) return refused;
  yield rowLock(eventId);
  const stock = trx.lockedStock(eventId) as StockRow;
  if (!fits(stock)) return refused;
  take(trx, stock, total, token);
  yield* insertAll(
    trx,
    (value(list(MARK.booking)) as string[]).map((id, i) => ({
      id,
      request_id: (value(list(MARK.request)) as string[])[i] as string,
      idempotency_key: null,
      event_id: eventId,
      quantity: quantities[i] as number,
      customer: (value(list(MARK.customer)) as string[])[i] as string,
      strategy: value(MARK.strategy) as string,
      instance_id: value(MARK.instance) as string,
      fencing_token: token,
      stock_revision: stock.version + 1,
      state: 'confirmed',
    })),
  );
  return [{ isBooked: true, available: seen?.available ?? null, terms: null }];
}

await model(
  'take stock and insert each',
  // With two bookings the sum is no quantity, and what belongs to a batch is told from what belongs to its bookings.
  (db) => takeStockAndInsertEach(db, [{ ...batch, bookings: [booking, { ...booking, quantity: OTHER }] }]),
  function* (trx, value) {
    const eventIds = value(list(MARK.event)) as number[];
    const totals = value(list(MARK.quantity + OTHER)) as number[];
    const tokens = value(list(MARK.token)) as (number | null)[];
    const seen = eventIds.map((eventId) => trx.stock(eventId)?.available);
    const booked = new Set<number>();
    for (const [i, eventId] of eventIds.entries()) {
      const total = totals[i] as number;
      if ((seen[i] ?? -1) < total || trx.isLocked(rowLock(eventId))) continue;
      yield rowLock(eventId);
      const stock = trx.lockedStock(eventId) as StockRow;
      const token = tokens[i] ?? null;
      if (!mayTake(stock, total, token)) continue;
      booked.add(eventId);
      take(trx, stock, total, token);
    }
    const ofBookings = value(pair(MARK.event, MARK.event)) as number[];
    yield* insertAll(
      trx,
      (value(pair(MARK.booking, MARK.booking)) as string[]).flatMap((id, i): BookingRow | [] => {
        const eventId = ofBookings[i] as number;
        if (!booked.has(eventId)) return [];
        const at = eventIds.indexOf(eventId);
        return {
          id,
          request_id: (value(pair(MARK.request, MARK.request)) as string[])[i] as string,
          idempotency_key: null,
          event_id: eventId,
          quantity: (value(pair(MARK.quantity, OTHER)) as number[])[i] as number,
          customer: (value(pair(MARK.customer, MARK.customer)) as string[])[i] as string,
          strategy: (value(list(MARK.strategy)) as string[])[at] as string,
          instance_id: (value(list(MARK.instance)) as string[])[at] as string,
          fencing_token: tokens[at] ?? null,
          stock_revision: trx.stock(eventId)?.version ?? 0,
          state: 'confirmed',
        };
      }),
    );
    return eventIds.map((eventId, i) => ({
      eventId,
      isBooked: booked.has(eventId),
      available: seen[i] ?? null,
      terms: null,
    }));
  },
);

function mayTake(stock: StockRow, total: number, token: number | null): boolean {
  return stock.available >= total && stock.fence <= (token ?? stock.fence);
}

function take(trx: Transaction, stock: StockRow, total: number, token: number | null): void {
  const { available, version, fence } = stock;
  trx.change({ ...stock, available: available - total, version: version + 1, fence: token ?? fence });
}

function* insertAll(trx: Transaction, rows: readonly BookingRow[]): Generator<string, void, void> {
  for (const row of rows) yield* trx.insert(row);
}

await model(
  'read booked ids',
  (db) => findBookedIds(db, [MARK.booking]),
  function* (trx, value) {
    const ids = value(list(MARK.booking)) as string[];
    return ids.filter((id) => trx.booking(id)?.state === 'confirmed').map((id) => ({ id }));
  },
);

await model(
  'read bookings of requests',
  (db) => findFirstBookings(db, [booking]),
  function* (trx, value) {
    const asked = new Set(value(list(MARK.request)) as string[]);
    return [...trx.bookings()]
      .filter(({ request_id }) => asked.has(request_id))
      .map((row) => storedBooking(row));
  },
);

await model(
  'read bookings of keys',
  (db) => findFirstBookings(db, [keyed]),
  function* (trx, value) {
    const [eventIds, customers, keys] = [MARK.event, MARK.customer, MARK.key].map(
      (mark) => value(list(mark)) as unknown[],
    );
    const isAsked = ({ event_id, customer, idempotency_key }: BookingRow) =>
      eventIds?.some(
        (id, i) => id === event_id && customers?.[i] === customer && keys?.[i] === idempotency_key,
      );
    return [...trx.bookings()].filter(isAsked).map((row) => storedBooking(row, { ageMs: 0 }));
  },
);

function storedBooking(row: BookingRow, more: object = {}): object {
  return {
    bookingId: row.id,
    requestId: row.request_id,
    idempotencyKey: row.idempotency_key,
    eventId: row.event_id,
    epoch: 1,
    quantity: row.quantity,
    holdS: null,
    expiresAt: null,
    customer: row.customer,
    strategy: row.strategy,
    instanceId: row.instance_id,
    fencingToken: row.fencing_token,
    allowanceLeft: null,
    state: row.state,
    firstExpiresAt: null,
    ...more,
  };
}

await model(
  'cancel booking',
  (db) => lockStockAndCancelBooking(db, { bookingId: MARK.booking, eventId: MARK.event, state: 'confirmed' }),
  function* (trx, value) {
    const id = value(MARK.booking) as string;
    if (trx.booking(id)?.state !== 'confirmed') return [{ isCancelled: false }];
    yield bookingLock(id);
    const row = trx.lockedBooking(id);
    if (row?.state !== 'confirmed') return [{ isCancelled: false }];
    yield* trx.cancel(row);
    yield rowLock(row.event_id);
    const stock = trx.lockedStock(row.event_id) as StockRow;
    const { available, capacity, version, changes } = stock;
    trx.change({
      ...stock,
      available: Math.min(capacity, available + row.quantity),
      version: version + 1,
      changes: changes + 1,
    });
    return [{ isCancelled: true }];
  },
);

function stockRows(stock: StockRow | undefined): unknown[] {
  if (stock === undefined) return [];
  const { available, version, fence, epoch, changes } = stock;
  return [{ available, version, fence, epoch, changes, isOfLaterEpoch: false, terms: null }];
}

/** What a mark is called in an array of one, or of two. */
function list(mark: unknown): string {
  return JSON.stringify([mark]);
}

function pair(one: unknown, other: unknown): string {
  return JSON.stringify([one, other]);
}

/** Remembers the last statement that the function sends, and where its values are among the parameters. */
async function model(name: string, send: (db: Trx) => Promise<unknown>, does: Does): Promise<void> {
  let sent: { text: string; values: Values } | undefined;
  const connections: Connections = {
    totalCount: 0,
    idleCount: 0,
    waitingCount: 0,
    connect: async () => ({
      async query(query) {
        sent = query;
        return { command: 'SELECT', rowCount: 0, rows: [] };
      },
      release() {},
    }),
    end: async () => {},
  };
  await send(limitWaits(connections, { max: 1 }) as unknown as Trx);
  if (sent === undefined) throw new Error(`${name} has sent nothing`);
  const places = new Map<unknown, number>();
  for (const [place, value] of sent.values.entries()) {
    const mark = Array.isArray(value) ? JSON.stringify(value) : value;
    if (!places.has(mark)) places.set(mark, place);
  }
  models.set(sent.text, { name, places, does });
}
