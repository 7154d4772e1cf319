import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { ANONYMOUS } from '#src/contract.ts';
import {
  raiseFence,
  takeStockAndInsertAll,
  takeStockAndInsertEach,
  type Batch,
} from '#src/storage/batches.ts';
import { lockStock, readStock } from '#src/storage/inventory.ts';
import { openPool } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** What the statements of a batch promise, each by itself. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

function batchOf(eventId: number, token: number | null, quantities: readonly number[]): Batch {
  const bookings = quantities.map((quantity) => bookingRequest(eventId, { quantity }));
  return { eventId, token, strategy: 'batched-lock', instanceId: 'test', bookings };
}

function raise(eventId: number, token: number) {
  return transact(house.db, (trx) => raiseFence(trx, { eventId, token }));
}

/** Both statements promise the same of one batch, as long as nobody else holds its row. */
const statements = {
  all: takeStockAndInsertAll,
  each: async (db: Db, batch: Batch) => (await takeStockAndInsertEach(db, [batch]))[0],
};

describe.each(['all', 'each'] as const)('%s', (name) => {
  const book = (batch: Batch) => statements[name](house.db, batch);

  test('a batch takes the tickets of all its bookings once, and writes a row for each', async () => {
    const eventId = await house.newEvent(20);
    const batch = batchOf(eventId, 7, [5, 1, 3]);
    expect(await book(batch)).toEqual({ isBooked: true });
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 11, fence: 7, version: 1 });
    const rows = await house.rowsOf(eventId);
    expect(new Map(rows.map((row) => [row.id, [row.quantity, row.fencing_token]]))).toEqual(
      new Map(batch.bookings.map(({ bookingId, quantity }) => [bookingId, [quantity, 7]])),
    );
    expect(await house.requestsOf(eventId)).toEqual(
      new Map(batch.bookings.map(({ requestId }) => [requestId, 1])),
    );
  });

  test('a batch without a token leaves the fence as it is', async () => {
    const eventId = await house.newEvent(5);
    await raise(eventId, 101);
    expect(await book(batchOf(eventId, null, [2]))).toEqual({ isBooked: true });
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 3, fence: 101 });
    expect((await house.rowsOf(eventId)).map((row) => row.fencing_token)).toEqual([null]);
  });

  test('a batch may take the last ticket; one that does not fit as a whole takes nothing', async () => {
    const eventId = await house.newEvent(5);
    expect(await book(batchOf(eventId, 1, [5, 1]))).toEqual({ isBooked: false, available: 5 });
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 5, fence: 0, version: 0 });
    expect(await house.rowsOf(eventId)).toEqual([]);
    expect(await book(batchOf(eventId, 1, [3, 2]))).toEqual({ isBooked: true });
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 0 });
  });

  test('once a newer token has locked the row, a batch that comes late changes nothing', async () => {
    const eventId = await house.newEvent(10);
    await raise(eventId, 101);
    expect(await book(batchOf(eventId, 100, [1]))).toEqual({ isBooked: false, available: 10 });
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 10, fence: 101 });
    expect(await house.rowsOf(eventId)).toEqual([]);
    expect(await book(batchOf(eventId, 101, [1]))).toEqual({ isBooked: true });
  });

  test('an event that does not exist is told apart from one that has nothing left', async () => {
    expect(await book(batchOf(2_000_000_001, null, [1]))).toEqual({ isBooked: false, available: undefined });
    expect(await book(batchOf(await house.newEvent(0), null, [1]))).toEqual({
      isBooked: false,
      available: 0,
    });
  });

  test('where too few are left it is told so without waiting for the row', async () => {
    const eventId = await house.newEvent(1);
    await house.db.transaction().execute(async (trx) => {
      await lockStock(trx, eventId);
      expect(await book(batchOf(eventId, null, [1, 1]))).toEqual({ isBooked: false, available: 1 });
    });
  });
});

test('a fence is never lowered', async () => {
  const eventId = await house.newEvent(10);
  for (const token of [101, 100]) await raise(eventId, token);
  expect(await readStock(house.db, eventId)).toMatchObject({ fence: 101, version: 0 });
});

async function limitedEvent(maxPerCustomer: number): Promise<number> {
  const eventId = await house.newEvent(20);
  await sql`update inventory set max_per_customer = ${maxPerCustomer} where event_id = ${eventId}`.execute(
    house.db,
  );
  return eventId;
}

function limitedBatch(eventId: number, asked: readonly [customer: string, quantity: number][]): Batch {
  const bookings = asked.map(([customer, quantity]) => bookingRequest(eventId, { customer, quantity }));
  return { ...batchOf(eventId, null, []), isLimited: true, bookings };
}

async function allowancesOf(eventId: number): Promise<(number | null)[]> {
  const rows = await house.db
    .selectFrom('bookings')
    .select('allowance_left')
    .where('event_id', '=', eventId)
    .orderBy('allowance_left', 'desc')
    .execute();
  return rows.map((row) => row.allowance_left);
}

describe('a batch whose customers have a limit', () => {
  test('is booked with what each may book after it, and tells what they had, event by event', async () => {
    const [two, three, none] = [await limitedEvent(2), await limitedEvent(3), await house.newEvent(5)];
    const first = [limitedBatch(two, [['ada', 1]]), limitedBatch(three, [['ada', 1], ['eve', 1], ['ada', 1]])]; // prettier-ignore
    expect(await takeStockAndInsertEach(house.db, [batchOf(none, null, [1]), ...first])).toMatchObject([
      { isBooked: true },
      { isBooked: true, terms: expect.anything(), tickets: new Map([['ada', 0]]) },
      { isBooked: true, terms: expect.anything(), tickets: new Map([['ada', 0], ['eve', 0]]) }, // prettier-ignore
    ]);
    const [over, within] = [limitedBatch(two, [['ada', 2]]), limitedBatch(three, [['eve', 2]])];
    expect(await takeStockAndInsertEach(house.db, [over, within])).toMatchObject([
      { isBooked: false, available: 19, tickets: new Map([['ada', 1]]) },
      { isBooked: true, tickets: new Map([['eve', 1]]) },
    ]);
    expect(await allowancesOf(two)).toEqual([1]);
    expect(await allowancesOf(three)).toEqual([2, 2, 1, 0]);
    expect(await allowancesOf(none)).toEqual([null]);
  });

  test('takes nothing if one of them would have too many, or has no name', async () => {
    const eventId = await limitedEvent(2);
    for (const asked of [
      [
        ['ada', 1],
        ['eve', 3],
      ],
      [
        ['ada', 1],
        ['eve', 1],
        ['ada', 2],
      ],
      [[ANONYMOUS, 1]],
    ] as const)
      // prettier-ignore
      expect(await statements.each(house.db, limitedBatch(eventId, asked as never))).toMatchObject({
        isBooked: false,
        available: 20,
      });
    expect(await house.event(eventId)).toMatchObject({ available: 20, booked: 0 });
  });

  test('is booked like any other where the limit is gone', async () => {
    const eventId = await house.newEvent(5);
    const batch = limitedBatch(eventId, [[ANONYMOUS, 2]]);
    expect(await statements.each(house.db, batch)).toMatchObject({ isBooked: true });
    expect(await allowancesOf(eventId)).toEqual([null]);
  });

  test('takes nothing if somebody has booked, or changed the limit, since it counted', async () => {
    // The statement looks at the clock while it counts: here it then waits until it may go on.
    await sql`create schema slow`.execute(house.db);
    await sql`
      create function slow.clock_timestamp() returns timestamptz language plpgsql as $$ begin
        perform pg_advisory_xact_lock_shared(77);
        return pg_catalog.clock_timestamp();
      end $$`.execute(house.db);
    const url = new URL(house.databaseUrl);
    url.searchParams.set('options', '-c search_path=slow,public,pg_catalog');
    await using slow = openPool({ url: url.href, max: 1, applicationName: 'slow' });

    const others = [
      (eventId: number) => statements.each(house.db, limitedBatch(eventId, [['ada', 2]])),
      (eventId: number) =>
        sql`update inventory set max_per_customer = 1 where event_id = ${eventId}`.execute(house.db),
    ];
    for (const other of others) {
      const eventId = await limitedEvent(2);
      const late = await house.db.transaction().execute(async (trx) => {
        await sql`select pg_advisory_xact_lock(77)`.execute(trx);
        const late = statements.each(slow, limitedBatch(eventId, [['ada', 2]]));
        await untilSomebodyWaits(house.db);
        await other(eventId);
        return [late];
      });
      expect(await late[0]).toMatchObject({ isBooked: false, tickets: new Map([['ada', 0]]) });
    }
  });
});
