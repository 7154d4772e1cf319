import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { findTokensOfBooked, lockStockAndRaiseFence, takeStockAndInsertAll } from '#src/storage/batches.ts';
import { readStock } from '#src/storage/inventory.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

/** What the statements of a batch promise, each by itself. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

function batchOf(eventId: number, token: number, quantities: readonly number[]) {
  const bookings = quantities.map((quantity) => ({
    ...bookingRequest(eventId, { quantity }),
    instanceId: 'test',
  }));
  return { eventId, token, strategy: 'batched-lock', bookings };
}

function raise(eventId: number, token: number) {
  return transact(house.db, (trx) => lockStockAndRaiseFence(trx, { eventId, token }));
}

test('a batch takes the tickets of all its bookings once, and writes a row for each', async () => {
  const eventId = await house.newEvent(20);
  const batch = batchOf(eventId, 7, [5, 1, 3]);
  expect(await takeStockAndInsertAll(house.db, batch)).toBe(true);
  expect(await readStock(house.db, eventId)).toMatchObject({ available: 11, fence: 7, version: 1 });
  const rows = await house.rowsOf(eventId);
  expect(new Map(rows.map((row) => [row.id, [row.quantity, row.fencing_token]]))).toEqual(
    new Map(batch.bookings.map(({ bookingId, quantity }) => [bookingId, [quantity, 7]])),
  );
  expect(await house.requestsOf(eventId)).toEqual(
    new Map(batch.bookings.map(({ requestId }) => [requestId, 1])),
  );
  const ids = batch.bookings.map(({ bookingId }) => bookingId);
  const found = await transact(house.db, (trx) => findTokensOfBooked(trx, ids));
  expect(found).toEqual(new Map(ids.map((id) => [id, 7])));
});

test('a batch may take the last ticket; one that does not fit as a whole takes nothing', async () => {
  const eventId = await house.newEvent(5);
  expect(await takeStockAndInsertAll(house.db, batchOf(eventId, 1, [5, 1]))).toBe(false);
  expect(await readStock(house.db, eventId)).toMatchObject({ available: 5, fence: 0, version: 0 });
  expect(await house.rowsOf(eventId)).toEqual([]);
  expect(await takeStockAndInsertAll(house.db, batchOf(eventId, 1, [3, 2]))).toBe(true);
  expect(await readStock(house.db, eventId)).toMatchObject({ available: 0 });
});

test('once a newer token has locked the row, a batch that comes late changes nothing', async () => {
  const eventId = await house.newEvent(10);
  await raise(eventId, 101);
  expect(await takeStockAndInsertAll(house.db, batchOf(eventId, 100, [1]))).toBe(false);
  expect(await readStock(house.db, eventId)).toMatchObject({ available: 10, fence: 101 });
  expect(await house.rowsOf(eventId)).toEqual([]);
  expect(await takeStockAndInsertAll(house.db, batchOf(eventId, 101, [1]))).toBe(true);
});

test('a fence is never lowered: who comes late with a smaller token is refused', async () => {
  const eventId = await house.newEvent(10);
  expect(await raise(eventId, 101)).toEqual({ available: 10, epoch: 1 });
  expect(await raise(eventId, 100)).toBeUndefined();
  expect(await raise(eventId, 101)).toEqual({ available: 10, epoch: 1 });
  expect(await readStock(house.db, eventId)).toMatchObject({ fence: 101, version: 0 });
});
