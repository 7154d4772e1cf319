import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { BookingView, EventView, Problem } from '#src/contract.ts';
import { lockStockAndCancelBooking } from '#src/storage/cancellations.ts';
import { findEvent, listEvents, lockAndChangeEvent } from '#src/storage/events.ts';
import type { Trx } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

/** What a look at an event costs, and whom it keeps waiting. */

const opened = new AsyncDisposableStack();
let house: House;
let context: Context;
let lab: TestApp;
let service: TestApp;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  context = opened.use(
    openTestContext({
      DATABASE_URL: house.databaseUrl,
      REDIS_URL: inject('redisUrl'),
      INSTANCE_ID: 'looking',
      LOG_LEVEL: 'silent',
    }),
  );
  await untilReady(context);
  lab = createTestApp(context, { instanceId: 'looking' });
  service = createTestApp(context, { instanceId: 'looking', labMode: false });
});

afterAll(() => opened.disposeAsync());

/** An event of which so many tickets are sold, one by one. */
async function newEvent(capacity: number, booked: number): Promise<number> {
  const id = await house.newEvent(capacity);
  await sql`
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
    select gen_random_uuid(), ${id}, 1, 1, 'test', 'row-lock', 'test' from generate_series(1, ${booked})`.execute(
    house.db,
  );
  await sql`update inventory set available = capacity - ${booked} where event_id = ${id}`.execute(house.db);
  return id;
}

/** What a query finds, and how often it has looked into the booking rows. */
async function countScans<T>(query: (trx: Trx) => Promise<T>): Promise<{ result: T; scans: number }> {
  return transact(house.db, async (trx) => {
    // The connection has made others before.
    const before = await scansOfBookings(trx);
    const result = await query(trx);
    return { result, scans: (await scansOfBookings(trx)) - before };
  });
}

async function scansOfBookings(trx: Trx): Promise<number> {
  const { rows } = await sql<{ scans: number }>`
    select coalesce(seq_scan, 0) + coalesce(idx_scan, 0) as scans
    from pg_stat_xact_user_tables where relname = 'bookings'`.execute(trx);
  return rows[0]?.scans ?? 0;
}

describe('the history of an event is not looked at', () => {
  test.each<[string, (trx: Trx, id: number) => Promise<unknown>]>([
    ['by a look at it', (trx: Trx, id: number) => findEvent(trx, id, 'counter')],
    ['by the list', (trx: Trx, id: number) => listEvents(trx, { after: id - 1, limit: 1 }, 'counter')],
    ['by a new capacity', (trx: Trx, id: number) => lockAndChangeEvent(trx, id, { capacity: 200 })],
  ])('%s', async (_, query) => {
    const id = await newEvent(100, 60);
    const { result, scans } = await countScans((trx) => query(trx, id));
    expect(JSON.stringify(result)).toContain('"booked":60');
    expect(scans).toBe(0);
  });

  test('by a cancellation, but for the one row', async () => {
    const id = await newEvent(100, 60);
    const [booking] = await house.rowsOf(id);
    const cancelled = { bookingId: booking?.id ?? '', eventId: id, state: 'confirmed' as const };
    const scan = await countScans((trx) => lockStockAndCancelBooking(trx, cancelled));
    // It is found by its id, and written.
    expect(scan).toEqual({ result: true, scans: 2 });
    expect(await house.event(id)).toMatchObject({ available: 41, booked: 59 });
  });
});

test('the lab shows what the rows say, the service what the counter says', async () => {
  const id = await newEvent(2, 2);
  // As `no-lock` does: sold once more, and the counter does not know.
  await house.db.updateTable('bookings').set({ quantity: 2 }).where('event_id', '=', id).execute();
  const views = [lab, service].map(async (app) => {
    const one = (await (await app.request(`/events/${id}`)).json()) as EventView;
    const [listed] = (await (await app.request(`/events?after=${id - 1}&limit=1`)).json()) as EventView[];
    expect(listed).toEqual(one);
    return one;
  });
  expect(await Promise.all(views)).toMatchObject([
    { available: 0, booked: 4, oversold: 2 },
    { available: 0, booked: 2, oversold: 0 },
  ]);
});

test("every connection bears the instance's name", async () => {
  const id = await house.newEvent(1);
  await lab.request(`/events/${id}`);
  await lab.request(`/book/row-lock/${id}`, { method: 'POST' });
  await lab.request('/readyz');
  const { rows } = await sql<{ name: string }>`
    select application_name as name from pg_stat_activity
    where datname = current_database() and application_name <> 'test' and backend_type = 'client backend'`.execute(
    house.db,
  );
  expect(rows.length).toBeGreaterThanOrEqual(3);
  expect(new Set(rows.map(({ name }) => name))).toEqual(new Set(['looking']));
});

describe('while nobody can look at an event', () => {
  let unlock: (() => Promise<void>) | undefined;

  afterEach(() => unlock?.());

  /** Sales do without the table of names. */
  async function lockEvents(): Promise<void> {
    const { promise: isLocked, resolve: tellLocked } = Promise.withResolvers<void>();
    const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
    const held = transact(house.db, async (trx) => {
      await sql`lock table events in access exclusive mode`.execute(trx);
      tellLocked();
      await isOver;
    });
    unlock = () => {
      end();
      return held;
    };
    await Promise.race([isLocked, held]);
  }

  test('a crowd that tries to keeps no buyer waiting, and no probe', async () => {
    const ids: number[] = [];
    for (let i = 0; i < 40; i += 1) ids.push(await house.newEvent(1));
    const forSale = await house.newEvent(1);
    await lockEvents();
    const looks = ids.map(async (id) => lab.request(`/events/${id}`));
    await expect.poll(waitingReads, { interval: 5 }).toBe(2);

    const booked = await lab.request(`/book/row-lock/${forSale}`, { method: 'POST' });
    const { bookingId } = (await booked.json()) as BookingView;
    const cancelled = await lab.request(`/bookings/${bookingId}`, { method: 'DELETE' });
    const ready = await lab.request('/readyz');
    expect([booked.status, cancelled.status, ready.status]).toEqual([201, 200, 200]);

    await unlock?.();
    // Those who had to wait for too long are told to come back.
    for (const { status } of await Promise.all(looks)) expect(status).toBeOneOf([200, 503]);
  });

  test('all who look at the same one share a connection', async () => {
    const id = await house.newEvent(1);
    await lockEvents();
    const looks = Array.from({ length: 400 }, async () => lab.request(`/events/${id}`));
    await expect.poll(waitingReads, { interval: 5 }).toBe(1);
    await unlock?.();
    for (const { status } of await Promise.all(looks)) expect(status).toBeOneOf([200, 503]);
  });

  test('who comes after too many others is told at once to come back', async () => {
    await lockEvents();
    const refused: Problem[] = [];
    // Events that are not there cost as much. 256 may wait, and two more are asking.
    const looks = Array.from({ length: 300 }, async (_, i) => {
      const answer = await lab.request(`/events/${i + 1}`);
      if (answer.status === 503) refused.push((await answer.json()) as Problem);
    });
    await expect.poll(() => refused.length, { interval: 5 }).toBeGreaterThanOrEqual(42);
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['busy']));
    await unlock?.();
    await Promise.all(looks);
  });
});

async function waitingReads(): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`
    select count(*) as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(house.db);
  return rows[0]?.waiting ?? 0;
}
