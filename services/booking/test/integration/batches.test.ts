import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import {
  raiseFence,
  takeStockAndInsertAll,
  takeStockAndInsertEach,
  type Batch,
} from '#src/storage/batches.ts';
import { lockStock, readStock } from '#src/storage/inventory.ts';
import type { Db } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

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
