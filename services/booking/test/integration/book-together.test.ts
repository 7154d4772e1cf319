import { startFaultProxy } from '@lastseat/infra/servers';
import { LockLostError } from '@lastseat/locking';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { createBookTogether, type Sendable } from '#src/booking/batching/book-together.ts';
import { createRowWaits } from '#src/booking/batching/row-waits.ts';
import { book } from '#src/booking/book.ts';
import type { Batch, BatchResult } from '#src/storage/batches.ts';
import { lockStock } from '#src/storage/inventory.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

/** Batches of different events in one statement, which must not be able to do each other any harm. */

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

/** @param mayWait statements that may wait for a row at a time */
function openBookTogether(mayWait = 2) {
  const bookTogether = createBookTogether(house.db, createRowWaits(mayWait), 2);
  return (batch: Batch) => bookTogether(sendable(batch));
}

function sendable(batch: Batch): Sendable {
  return { eventId: batch.eventId, make: () => ({ batch, deadlineMs: Number.POSITIVE_INFINITY }) };
}

const booked: BatchResult = { isBooked: true };

function batchOf(
  eventId: number,
  { token = 1, quantities = [1], id = undefined as string | undefined } = {},
): Batch {
  const bookings = quantities.map((quantity) => {
    const request = bookingRequest(eventId, { quantity });
    return { ...request, bookingId: id ?? request.bookingId };
  });
  return { eventId, token, strategy: 'batched-lock', instanceId: 'test', bookings };
}

function newEvents(count: number, capacity: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => house.newEvent(capacity)));
}

/** How many transactions wrote the bookings of these events. */
async function transactionsOf(eventIds: number[]): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(distinct xmin::text)::integer as count from bookings where event_id = any(${eventIds})`.execute(
    house.db,
  );
  return rows[0]!.count;
}

test('what begins together is one transaction, and each event its own decision', async () => {
  const bookTogether = openBookTogether();
  const [plenty, few, none, late] = (await newEvents(4, 2)) as [number, number, number, number];
  await sql`update inventory set fence = 9 where event_id = ${late}`.execute(house.db);
  const batch = batchOf(plenty, { quantities: [1, 1] });
  const results = await Promise.all([
    bookTogether(batch),
    bookTogether(batchOf(few, { quantities: [2, 1] })),
    bookTogether(batchOf(none, { token: 7 })),
    bookTogether(batchOf(late, { token: 8 })),
    bookTogether(batchOf(2_000_000_001)),
  ]);
  expect(results).toEqual([
    booked,
    { isBooked: false, available: 2 },
    booked,
    { isBooked: false, available: 2 },
    { isBooked: false, available: undefined },
  ]);
  expect(await transactionsOf([plenty, few, none, late])).toBe(1);
  expect(await house.requestsOf(plenty)).toEqual(
    new Map(batch.bookings.map(({ requestId }) => [requestId, 1])),
  );
  const left = await Promise.all([plenty, few, none, late].map((id) => house.event(id)));
  expect(left.map(({ available, booked }) => [available, booked])).toEqual([
    [0, 2],
    [2, 0],
    [1, 1],
    [2, 0],
  ]);
  expect((await house.rowsOf(none)).map((row) => row.fencing_token)).toEqual([7]);
});

test('an event whose row somebody else has locked is passed over, and the others do not wait for it', async () => {
  const bookTogether = openBookTogether(0);
  const [free, locked] = (await newEvents(2, 5)) as [number, number];
  await house.db.transaction().execute(async (trx) => {
    await lockStock(trx, locked);
    expect(await Promise.all([bookTogether(batchOf(free)), bookTogether(batchOf(locked))])).toEqual([
      booked,
      { isBooked: false, available: 5 },
    ]);
  });
  expect((await house.event(free)).available).toBe(4);
  expect((await house.event(locked)).available).toBe(5);
});

test('a locked row is waited for where there is leave to, and the others still do not wait for it', async () => {
  const bookTogether = openBookTogether(1);
  const [free, locked] = (await newEvents(2, 5)) as [number, number];
  const late: Promise<unknown>[] = [];
  await house.db.transaction().execute(async (trx) => {
    await lockStock(trx, locked);
    late.push(bookTogether(batchOf(locked)));
    expect(await bookTogether(batchOf(free))).toEqual(booked);
    expect(await bookTogether(batchOf(free))).toEqual(booked);
  });
  expect(await Promise.all(late)).toEqual([booked]);
});

test('a batch that Postgres refuses fails alone', async () => {
  const bookTogether = openBookTogether();
  const [one, two, three] = (await newEvents(3, 5)) as [number, number, number];
  const first = batchOf(one);
  expect(await bookTogether(first)).toEqual(booked);
  const again = batchOf(two, { id: first.bookings[0]!.bookingId });
  const [refused, other] = await Promise.allSettled([bookTogether(again), bookTogether(batchOf(three))]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { name: 'KeyTakenError' } });
  expect(other).toEqual({ status: 'fulfilled', value: booked });
  expect((await house.event(two)).available).toBe(5);
});

function loseLease(): never {
  throw new LockLostError({ lock: 'x', token: 1, why: 'deadline' });
}

test('a batch whose lease is lost before it is sent is not sent', async () => {
  const bookTogether = createBookTogether(house.db, createRowWaits(1), 1);
  const [one, two] = (await newEvents(2, 5)) as [number, number];
  const [refused, other] = await Promise.allSettled([
    bookTogether({ eventId: one, make: loseLease }),
    bookTogether(sendable(batchOf(two))),
  ]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { name: 'LockLostError' } });
  expect(other).toEqual({ status: 'fulfilled', value: booked });
  expect(await house.rowsOf(one)).toEqual([]);
});

test('more events than fit into a statement, and several batches of one event: each decided by itself', async () => {
  const bookTogether = openBookTogether();
  const events = await newEvents(100, 3);
  const results = await Promise.all(
    events.flatMap((id) => [1, 2, 3].map((token) => bookTogether(batchOf(id, { token })))),
  );
  const sold = await Promise.all(events.map((id) => house.event(id)));
  expect(sold.reduce((sum, event) => sum + event.booked, 0)).toBe(
    results.filter((result) => result?.isBooked).length,
  );
  for (const { capacity, available, booked } of sold) expect(capacity - available).toBe(booked);
  expect(Math.min(...sold.map((event) => event.booked))).toBeGreaterThan(0);
  expect(await transactionsOf(events)).toBeLessThan(100);
});

test.each(['batched-lock', 'batched-update'] as const)(
  '%s: the answer for several events is lost: each finds its own bookings, and books none twice',
  async (name) => {
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    await using replica = openTestContext({
      DATABASE_URL: proxy.through(house.databaseUrl),
      REDIS_URL: inject('redisUrl'),
    });
    await untilReady(replica);
    const events = await newEvents(10, 5);
    const bookEach = () =>
      Promise.all(events.map((id) => book(strategyOf(replica, name), bookingRequest(id))));
    await bookEach();
    const lost = proxy.dropReplies(1, {
      matching: (bytes) => bytes.includes('skip locked') || bytes.includes('B\0'),
    });
    const outcomes = await bookEach();
    await lost.done;
    expect(outcomes.map(({ code }) => code)).toEqual(events.map(() => 'booked'));
    for (const id of events) expect(await house.event(id)).toMatchObject({ booked: 2, available: 3 });
  },
);
