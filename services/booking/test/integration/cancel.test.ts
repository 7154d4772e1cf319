import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { STRATEGY_NAMES, type BookingView } from '#src/contract.ts';
import { beginEpoch } from '#src/storage/events.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { createTestApp } from '../support/test-app.ts';

/** A booking that is taken back: its tickets are free again, once, whoever is booking at that moment. */

const opened = new AsyncDisposableStack();
let house: House;
/** Two replicas' worth. */
let here: Api;
let there: Api;

interface Api {
  book(path: string, quantity?: number): Promise<{ status: number; body: BookingView }>;
  stateOf(bookingId: string): Promise<unknown>;
  cancel(bookingId: string): Promise<{ status: number; body: unknown }>;
}

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  [here, there] = await Promise.all([openApi('here', quorum.urls), openApi('there', quorum.urls)]);
});

afterAll(() => opened.disposeAsync());

async function openApi(instanceId: string, quorumUrls: string): Promise<Api> {
  const context = opened.use(
    openTestContext({
      DATABASE_URL: house.databaseUrl,
      REDIS_URL: inject('redisUrl'),
      QUORUM_REDIS_URLS: quorumUrls,
      INSTANCE_ID: instanceId,
    }),
  );
  await untilReady(context);
  const app = createTestApp(context, { instanceId, raceWindowMs: 2 });
  return {
    async book(path, quantity = 1) {
      const response = await app.request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ quantity }),
      });
      return { status: response.status, body: (await response.json()) as BookingView };
    },
    async stateOf(bookingId) {
      const response = await app.request(`/bookings/${bookingId}`);
      return ((await response.json()) as BookingView).state;
    },
    async cancel(bookingId) {
      const response = await app.request(`/bookings/${bookingId}`, { method: 'DELETE' });
      return { status: response.status, body: await response.json() };
    },
  };
}

test('gives the tickets back, through whichever replica, and only once', async () => {
  const id = await house.newEvent(5);
  const { body: kept } = await here.book(`/book/row-lock/${id}`, 1);
  const { body: booking } = await here.book(`/book/fenced-lock/${id}`, 3);
  expect(await there.cancel(booking.bookingId)).toEqual({
    status: 200,
    body: { ...booking, state: 'cancelled' },
  });
  expect(await here.stateOf(booking.bookingId)).toBe('cancelled');
  expect(await here.cancel(booking.bookingId)).toMatchObject({
    status: 404,
    body: { code: 'booking_not_found' },
  });
  expect((await house.rowsOf(id)).filter(({ state }) => state === 'confirmed').map((row) => row.id)).toEqual([
    kept.bookingId,
  ]);
  expect(await house.event(id)).toMatchObject({ available: 4, booked: 1 });
});

test('two who cancel the same booking at the same time free its tickets once', async () => {
  const id = await house.newEvent(9);
  const { body } = await here.book(`/book/row-lock/${id}`, 2);
  await here.book(`/book/row-lock/${id}`, 2);
  const answers = await Promise.all([here, there, here, there].map((api) => api.cancel(body.bookingId)));
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404, 404, 404]);
  expect(await house.event(id)).toMatchObject({ available: 7, booked: 2 });
});

test.each(STRATEGY_NAMES)(
  '%s: once a cancellation is answered, by whichever replica, nobody is told any more that it is sold out',
  async (name) => {
    const id = await house.newEvent(1);
    const path = `/book/${name}/${id}`;
    for (let round = 0; round < 5; round += 1) {
      const { body } = await here.book(path);
      expect((await here.book(path)).status).toBe(409);
      expect((await there.cancel(body.bookingId)).status).toBe(200);
      const again = await here.book(path);
      expect(again.status).toBe(201);
      await there.cancel(again.body.bookingId);
    }
  },
);

test('a booking from before a reset has no tickets to give back', async () => {
  const id = await house.newEvent(2);
  const { body } = await here.book(`/book/row-lock/${id}`);
  await beginEpoch(house.db, id, 2);
  await here.book(`/book/row-lock/${id}`);
  expect((await here.cancel(body.bookingId)).status).toBe(200);
  expect(await house.event(id)).toMatchObject({ capacity: 2, available: 1, booked: 1 });
});

test('an event gets no more tickets back than it has, whatever was sold behind the counter', async () => {
  const id = await house.newEvent(1);
  const { body: first } = await here.book(`/book/row-lock/${id}`);
  // What `no-lock` does in a race, without the race.
  await house.db.updateTable('inventory').set({ available: 1 }).where('event_id', '=', id).execute();
  const { body: second } = await here.book(`/book/row-lock/${id}`);
  expect(await house.event(id)).toMatchObject({ available: 0, booked: 2, oversold: 1 });
  await here.cancel(first.bookingId);
  await here.cancel(second.bookingId);
  expect(await house.event(id)).toMatchObject({ available: 1, booked: 0 });
});

// `simple-lock` is exact here, for nobody is paused past the lease; `no-lock` promises nothing.
describe.each(STRATEGY_NAMES.filter((name) => name !== 'no-lock'))('while a crowd books by %s', (name) => {
  test('nothing is oversold, and every freed ticket is sold again', { timeout: 90_000 }, async () => {
    const capacity = 4;
    const id = await house.newEvent(capacity);
    let cancellations = 20;
    let kept = 0;
    // Some hundred requests: a second of them, and much more where others keep the machine busy.
    const giveUpAtMs = performance.now() + 60_000;
    const isGoingOn = () => kept < capacity && performance.now() < giveUpAtMs;

    /** Comes back until they have a ticket; one of the first takes it back again. */
    async function buyer(api: Api): Promise<void> {
      while (isGoingOn()) {
        const { status, body } = await api.book(`/book/${name}/${id}`);
        expect(status).toBeOneOf([201, 409, 503]);
        if (status !== 201) await sleep(5 + 20 * Math.random());
        else if (cancellations > 0) {
          cancellations -= 1;
          while ((await api.cancel(body.bookingId)).status === 503) await sleep(5 + 20 * Math.random());
        } else {
          kept += 1;
          return;
        }
      }
    }

    async function watch(): Promise<void> {
      while (isGoingOn()) {
        const { booked, available, oversold } = await house.event(id);
        expect({ sum: booked + available, oversold }).toEqual({ sum: capacity, oversold: 0 });
        await sleep(2);
      }
    }

    await Promise.all([...Array.from({ length: 24 }, (_, i) => buyer(i % 2 === 0 ? here : there)), watch()]);
    expect({ kept, cancellations }).toEqual({ kept: capacity, cancellations: 0 });
    expect(await house.event(id)).toMatchObject({ available: 0, booked: capacity, oversold: 0 });
  });
});
