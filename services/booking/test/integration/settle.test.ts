import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { settleCommit } from '#src/booking/commit.ts';
import { insertBooking } from '#src/storage/bookings.ts';
import { lockAndChangeEvent } from '#src/storage/events.ts';
import { readStock, writeStock } from '#src/storage/inventory.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** Whoever asks what has become of a booking, or how many there are, waits for the one that is not decided yet. */

const opened = new AsyncDisposableStack();
let house: House;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
});

afterAll(() => opened.disposeAsync());

/** A booking whose COMMIT is still on its way. */
async function openBooking(eventId: number) {
  const request = bookingRequest(eventId);
  const trx = await house.db.startTransaction().execute();
  const stock = await readStock(trx, eventId);
  const available = (stock?.available ?? 0) - 1;
  const { stockRevision = Number.NaN } =
    (await writeStock(trx, { eventId, epoch: 1, changes: 0, available })) ?? {};
  await insertBooking(trx, {
    ...request,
    epoch: 1,
    stockRevision,
    strategy: 'row-lock',
    instanceId: 'test',
    fencingToken: null,
  });
  return { id: request.bookingId, trx };
}

test('a commit that arrives after its connection was lost is still found', async () => {
  const eventId = await house.newEvent(3);
  const { id, trx } = await openBooking(eventId);
  const settled = settleCommit(house.db, bookingRequest(eventId), [id]);
  await untilSomebodyWaits(house.db);
  await trx.commit().execute();
  expect(await settled).toEqual(new Set([id]));
});

test('a transaction that is rolled back in the end has booked nothing', async () => {
  const eventId = await house.newEvent(3);
  const { id, trx } = await openBooking(eventId);
  const settled = settleCommit(house.db, bookingRequest(eventId), [id]);
  await untilSomebodyWaits(house.db);
  await trx.rollback().execute();
  expect(await settled).toEqual(new Set());
});

test('a change of capacity counts the booking that is just being committed', async () => {
  const eventId = await house.newEvent(3);
  const { trx } = await openBooking(eventId);
  const changed = transact(house.db, (trx) => lockAndChangeEvent(trx, eventId, { capacity: 5 }));
  await untilSomebodyWaits(house.db);
  await trx.commit().execute();
  expect(await changed).toMatchObject({ code: 'changed', event: { available: 4, booked: 1 } });
  expect(await house.event(eventId)).toMatchObject({ capacity: 5, available: 4, booked: 1 });
});
