import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { BookingView, EventView } from '#src/contract.ts';
import { createApp } from '#src/http/app.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';

/** Events over HTTP, on a real database. */

const opened = new AsyncDisposableStack();
let house: House;
let context: Context;
let app: ReturnType<typeof createApp>;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  context = opened.use(openTestContext({ DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') }));
  await untilReady(context);
  app = createApp({
    ...context,
    instanceId: 'test',
    labMode: true,
    adminToken: undefined,
    raceWindowMs: 0,
    log: { error: (entry: unknown) => expect.fail(String(entry)) },
  });
});

afterAll(() => opened.disposeAsync());

interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

async function send<T = EventView>(method: string, path: string, body?: object): Promise<Answer<T>> {
  const response = await app.request(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

async function book(eventId: number, quantity: number) {
  return send<BookingView>('POST', `/book/row-lock/${eventId}`, { quantity });
}

test('a new event can be found, listed and booked', async () => {
  const created = await send('POST', '/events', { name: 'Première', capacity: 3 });
  expect(created.status).toBe(201);
  const { id } = created.body;
  expect(created.headers.get('location')).toBe(`/events/${id}`);
  const found = await send('GET', `/events/${id}`);
  expect(found.body).toEqual({ id, name: 'Première', capacity: 3, available: 3, booked: 0, oversold: 0 });
  expect(found.body).toEqual(created.body);
  const listed = await send('GET', `/events?after=${id - 1}`);
  expect(listed.body).toEqual([found.body]);
  const { bookingId } = (await book(id, 1)).body;
  const booking = await send('GET', `/bookings/${bookingId}`);
  expect(booking).toMatchObject({
    status: 200,
    body: { bookingId, eventId: id, strategy: 'row-lock', quantity: 1 },
  });
});

test('what does not exist is 404', async () => {
  expect((await send('GET', '/events/2147483647')).status).toBe(404);
  expect((await send('PATCH', '/events/2147483647', { capacity: 1 })).status).toBe(404);
  expect((await send('POST', '/reset/2147483647')).status).toBe(404);
  expect((await send('GET', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d')).status).toBe(404);
});

test('long lists come in pages', async () => {
  for (let i = 0; i < 5; i += 1) await house.newEvent(1);
  const first = await send<EventView[]>('GET', '/events?limit=4');
  expect(first.body).toHaveLength(4);
  const [, next] = /<(.+)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
  const second = await send<EventView[]>('GET', next ?? '');
  expect(Math.min(...second.body.map(({ id }) => id))).toBeGreaterThan(
    Math.max(...first.body.map(({ id }) => id)),
  );
});

describe('a new capacity', () => {
  test('frees or takes away what is not booked', async () => {
    const id = await house.newEvent(5);
    await book(id, 4);
    expect((await send('PATCH', `/events/${id}`, { capacity: 10 })).body).toMatchObject({
      available: 6,
      booked: 4,
    });
    expect((await send('PATCH', `/events/${id}`, { capacity: 4, name: 'Full' })).body).toEqual(
      (await send('GET', `/events/${id}`)).body,
    );
    expect((await book(id, 1)).status).toBe(409);
  });

  test('cannot be smaller than what is booked', async () => {
    const id = await house.newEvent(5);
    await book(id, 4);
    const refused = await send('PATCH', `/events/${id}`, { capacity: 3 });
    expect(refused).toMatchObject({ status: 409, body: { code: 'below_booked' } });
    expect(await house.event(id)).toMatchObject({ capacity: 5, available: 1 });
  });

  test('and a crowd at the same time end with a true counter', async () => {
    const id = await house.newEvent(10);
    const sold = Promise.all(
      ['atomic-update', 'row-lock', 'optimistic', 'fenced-lock'].flatMap((name) =>
        Array.from({ length: 5 }, () => send('POST', `/book/${name}/${id}`)),
      ),
    );
    for (const capacity of [12, 20, 15, 30]) await send('PATCH', `/events/${id}`, { capacity });
    const confirmed = (await sold).filter(({ status }) => status === 201).length;
    const { booked, available, capacity, oversold } = await house.event(id);
    expect(booked).toBe(confirmed);
    expect({ sum: booked + available, oversold }).toEqual({ sum: capacity, oversold: 0 });
  });
});

describe('a reset', () => {
  test('frees all tickets, removes the bookings and keeps the capacity unless told otherwise', async () => {
    const id = await house.newEvent(5);
    await book(id, 4);
    expect((await send('POST', `/reset/${id}`)).body).toMatchObject({ capacity: 5, available: 5, booked: 0 });
    expect(await house.rowsOf(id)).toEqual([]);
    expect((await send('POST', `/reset/${id}?tickets=2`)).body).toMatchObject({ capacity: 2, available: 2 });
    expect((await send('POST', `/reset/${id}?tickets=0`)).body).toMatchObject({ capacity: 0, available: 0 });
    expect((await book(id, 1)).status).toBe(409);
  });

  test('ends an oversold state', async () => {
    const id = await house.newEvent(1);
    await Promise.all(
      [1, 2, 3].map(async () =>
        app.request(`/book-no-lock/${id}`, { method: 'POST', headers: { 'x-race-window-ms': '100' } }),
      ),
    );
    expect((await send('GET', `/events/${id}`)).body).toMatchObject({ available: 0, oversold: 2 });
    expect((await send('PATCH', `/events/${id}`, { capacity: 1 })).status).toBe(409);
    expect((await send('POST', `/reset/${id}`)).body).toMatchObject({ available: 1, booked: 0, oversold: 0 });
  });
});
