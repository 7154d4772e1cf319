import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { BookingRequest } from '#src/booking/strategy.ts';
import type { Context } from '#src/context.ts';
import { STRATEGY_NAMES, type StrategyName } from '#src/contract.ts';
import { beginEpoch } from '#src/storage/events.ts';
import { readStock } from '#src/storage/inventory.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { bookingRequest, requestInRaceWindow } from '../support/requests.ts';

/** What every strategy owes whatever its guarantee; the crowd is in strategies-under-contention.test.ts. */

const opened = new AsyncDisposableStack();
let house: House;
/** Two replicas' worth. */
let here: Context;
let there: Context;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  const env = {
    DATABASE_URL: house.databaseUrl,
    REDIS_URL: inject('redisUrl'),
    QUORUM_REDIS_URLS: quorum.urls,
  };
  here = opened.use(openTestContext({ ...env, INSTANCE_ID: 'here' }));
  there = opened.use(openTestContext({ ...env, INSTANCE_ID: 'there' }));
  await Promise.all([untilReady(here), untilReady(there)]);
});

afterAll(() => opened.disposeAsync());

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('takes the tickets and writes the booking, or neither', async () => {
    const eventId = await house.newEvent(5);
    const strategy = strategyOf(here, name);
    const first = bookingRequest(eventId, { quantity: 3 });
    const tooMany = bookingRequest(eventId, { quantity: 3 });
    const rest = bookingRequest(eventId, { quantity: 2 });
    expect((await book(strategy, first)).code).toBe('booked');
    expect((await book(strategy, tooMany)).code).toBe('sold_out');
    expect((await book(strategy, rest)).code).toBe('booked');
    const rows = await house.rowsOf(eventId);
    expect(rows.map(({ id }) => id)).toEqual([first.bookingId, rest.bookingId].toSorted());
    expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 5, oversold: 0 });
  });

  test('names in each row the request that made it, and the place in the order of the event', async () => {
    const eventId = await house.newEvent(9);
    const requests = [1, 3, 2].map((quantity) => bookingRequest(eventId, { quantity }));
    for (const request of requests) await book(strategyOf(here, name), request);
    const { version = -1 } = (await readStock(house.db, eventId)) ?? {};
    expect([...(await house.requestsOf(eventId))]).toEqual(
      requests.map(({ requestId }, i) => [requestId, version - 2 + i]),
    );
  });

  test('books a request once, however often it comes, and answers with its booking', async () => {
    const eventId = await house.newEvent(5);
    const { requestId } = bookingRequest(eventId);
    const send = (replica: Context, overrides: Partial<BookingRequest> = {}) =>
      book(
        strategyOf(replica, name),
        bookingRequest(eventId, { requestId, mayBeRepeated: true, quantity: 3, ...overrides }),
      );
    expect((await send(here)).code).toBe('booked');
    const [first] = await house.rowsOf(eventId);
    for (const replica of [here, there]) {
      expect(await send(replica)).toMatchObject({ code: 'booked_before', booking: { bookingId: first?.id } });
    }
    // For something else it is another request, and does not fit.
    expect((await send(here, { quantity: 2 })).code).toBe('request_id_reused');
    expect((await send(there, { customer: 'somebody else' })).code).toBe('request_id_reused');
    // Its own booking has taken the last tickets.
    expect((await book(strategyOf(here, name), bookingRequest(eventId, { quantity: 2 }))).code).toBe(
      'booked',
    );
    for (const replica of [here, there]) {
      expect(await send(replica)).toMatchObject({ code: 'booked_before', booking: { bookingId: first?.id } });
    }
    expect(await house.rowsOf(eventId)).toHaveLength(2);
    expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 5 });
  });

  test('books a request once that reaches both replicas at once, and whoever stands beside it', async () => {
    const eventId = await house.newEvent(30);
    const { requestId } = bookingRequest(eventId);
    const buy = async (overrides: Partial<BookingRequest> = {}) => {
      for (;;) {
        const replica = Math.random() < 0.5 ? here : there;
        const outcome = await book(strategyOf(replica, name), bookingRequest(eventId, overrides));
        if (outcome.code !== 'busy') return outcome.code;
      }
    };
    const outcomes = await Promise.all([
      ...Array.from({ length: 10 }, () => buy()),
      ...Array.from({ length: 6 }, () => buy({ requestId, mayBeRepeated: true })),
      ...Array.from({ length: 10 }, () => buy()),
    ]);
    const rows = await house.rowsOf(eventId);
    expect(rows).toHaveLength(21);
    expect(outcomes.filter((code) => code === 'booked')).toHaveLength(21);
    expect(outcomes.filter((code) => code === 'booked_before')).toHaveLength(5);
  });

  test('knows an event that does not exist from one that is sold out', async () => {
    const strategy = strategyOf(here, name);
    expect(await book(strategy, bookingRequest(2_147_483_647))).toEqual({ code: 'event_not_found' });
  });

  test('goes from one replica to the other and back', async () => {
    const eventId = await house.newEvent(3);
    const outcomes = [];
    for (const replica of [here, there, here, there]) {
      outcomes.push((await book(strategyOf(replica, name), bookingRequest(eventId))).code);
    }
    expect(outcomes).toEqual(['booked', 'booked', 'booked', 'sold_out']);
  });

  test('a booking under way does not leak into the next epoch', async () => {
    const eventId = await house.newEvent(5);
    const { request, isInside } = requestInRaceWindow(eventId, { raceWindowMs: 300 });
    const booking = book(strategyOf(here, name), request);
    await isInside;
    await beginEpoch(house.db, eventId, 7);
    await booking;
    const rows = await house.rowsOf(eventId);
    const event = await house.event(eventId);
    // A strategy that has not read yet may book in the new epoch, whole; nothing of the old one may be in it.
    const sold = rows.filter(({ epoch }) => epoch === 2).length;
    expect(event).toMatchObject({ capacity: 7, available: 7 - sold, booked: sold, oversold: 0 });
  });

  test('a caller who has gone is not booked for', async ({ skip }) => {
    skip(
      name.startsWith('batched-'),
      "in a batch the window is everybody's, and the absence of one must not end it",
    );
    const eventId = await house.newEvent(5);
    const caller = new AbortController();
    const { request, isInside } = requestInRaceWindow(eventId, {
      raceWindowMs: 5_000,
      signal: caller.signal,
    });
    const booking = book(strategyOf(here, name), request);
    await isInside;
    caller.abort();
    expect((await booking).code).toBe('busy');
    expect(await house.rowsOf(eventId)).toEqual([]);
    // The guard is free again.
    expect((await book(strategyOf(there, name), bookingRequest(eventId))).code).toBe('booked');
  });
});

const exact = STRATEGY_NAMES.filter((name) => name !== 'no-lock' && name !== 'simple-lock');

describe.each(exact)('%s, which has decided and not yet written,', (first) => {
  test('is exact beside each of the others', async () => {
    const sales = await Promise.all(exact.map((second) => sellLastTicket(first, second)));
    expect(sales.filter(({ isExact }) => !isExact)).toEqual([]);
  });
});

async function sellLastTicket(first: StrategyName, second: StrategyName) {
  const eventId = await house.newEvent(1);
  const { request, isInside } = requestInRaceWindow(eventId, { raceWindowMs: 200 });
  const slow = book(strategyOf(here, first), request);
  await isInside;
  const fast = book(strategyOf(there, second), bookingRequest(eventId));
  const outcomes = (await Promise.all([slow, fast])).map(({ code }) => code);
  const sold = outcomes.filter((code) => code === 'booked').length;
  const { length: rows } = await house.rowsOf(eventId);
  const { available } = await house.event(eventId);
  return { second, outcomes, rows, available, isExact: sold <= 1 && rows === sold && available === 1 - sold };
}
