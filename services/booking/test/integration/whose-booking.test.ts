import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { BookingView } from '#src/contract.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

/** Two replicas outside lab mode, on a real database: who may see and cancel a booking. */

const opened = new AsyncDisposableStack();
let house: House;
let replicas: TestApp[];

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const contexts: Context[] = [];
  for (let i = 0; i < 2; i += 1) {
    const context = openTestContext({ DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') });
    contexts.push(opened.use(context));
    await untilReady(context);
  }
  replicas = contexts.map((context, i) =>
    createTestApp(context, {
      instanceId: `test-${i}`,
      labMode: false,
      operators: [
        { name: 'ada', token: 'a-token-of-some-length', scopes: ['bookings:read'] },
        { name: 'bob', token: 'another-token-of-some', scopes: ['bookings:write'] },
      ],
    }),
  );
});

afterAll(() => opened.disposeAsync());

async function book(eventId: number, headers: Record<string, string> = {}) {
  const response = await replicas[0]!.request(`/events/${eventId}/bookings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ customer: 'Grace Hopper' }),
  });
  const { bookingId } = (await response.json()) as BookingView;
  const secret = response.headers.get('x-booking-secret') ?? '';
  return { path: `/bookings/${bookingId}`, requestId: response.headers.get('x-request-id'), secret };
}

async function ask(method: string, path: string, headers: Record<string, string> = {}) {
  const response = await replicas[1]!.request(path, { method, headers });
  const cached = response.headers.get('cache-control');
  return { status: response.status, text: await response.text(), cached };
}

test('with the secret a buyer sees and cancels the booking, at any replica', async () => {
  const id = await house.newEvent(1);
  const { path, secret } = await book(id);
  const shown = await ask('GET', path, { 'x-booking-secret': secret });
  expect(JSON.parse(shown.text)).toMatchObject({ customer: 'Grace Hopper' });
  expect(shown.cached, 'or a shared cache would show it to others').toBe('private, no-cache');
  expect((await ask('DELETE', path, { 'x-booking-secret': secret })).status).toBe(200);
  expect(await house.event(id)).toMatchObject({ available: 1 });
});

test('without it nobody sees whose booking it is, nor cancels it', async () => {
  const id = await house.newEvent(2);
  const { path, requestId } = await book(id);
  const other = await book(id);
  for (const headers of [
    {},
    { 'x-booking-secret': other.secret },
    { 'x-booking-secret': '' },
    { authorization: 'Bearer a-token-of-some-lengtH' },
  ] as Record<string, string>[]) {
    for (const look of [path, `/requests/${requestId}`]) {
      const shown = await ask('GET', look, headers);
      expect(shown.status).toBe(200);
      expect(shown.text).not.toContain('Grace');
      expect(shown.cached).toBe('private, no-cache');
    }
    const refused = await ask('DELETE', path, headers);
    expect(refused.status).toBe(401);
    expect(refused.text).not.toContain('Grace');
  }
  expect(await house.event(id)).toMatchObject({ available: 0 });
});

test('a hold is confirmed by who has its secret, and by nobody else', async () => {
  const id = await house.newEvent(1);
  const held = await replicas[0]!.request(`/events/${id}/holds`, { method: 'POST' });
  const { bookingId } = (await held.json()) as BookingView;
  const secret = held.headers.get('x-booking-secret') ?? '';
  expect((await ask('POST', `/holds/${bookingId}/confirm`)).status).toBe(401);
  expect((await ask('POST', `/holds/${bookingId}/confirm`, { 'x-booking-secret': secret })).status).toBe(200);
});

test('a hold is extended only as it was seen, where the header says so, by whoever sees it', async () => {
  const id = await house.newEvent(1);
  const held = await replicas[0]!.request(`/events/${id}/holds`, { method: 'POST' });
  const { bookingId } = (await held.json()) as BookingView;
  const secret = held.headers.get('x-booking-secret') ?? '';
  const seen = (headers = {}) =>
    replicas[0]!.request(`/bookings/${bookingId}`, { headers: { 'x-booking-secret': secret, ...headers } });
  const extend = (tag: string | null, seconds: number, headers: Record<string, string> = {}) =>
    replicas[1]!.request(`/holds/${bookingId}`, {
      method: 'PATCH',
      body: JSON.stringify({ seconds }),
      headers: {
        'content-type': 'application/json',
        'if-match': tag ?? '',
        'x-booking-secret': secret,
        ...headers,
      },
    });
  const first = (await seen()).headers.get('etag');
  const extended = await extend(first, 300);
  expect(extended.status).toBe(200);
  const { expiresAt } = (await extended.json()) as BookingView;
  const tag = extended.headers.get('etag');
  expect((await seen()).headers.get('etag')).toBe(tag);

  const refused = await extend(first, 600);
  expect(refused.status).toBe(412);
  expect(await refused.json()).toMatchObject({ code: 'changed_meanwhile' });
  expect(refused.headers.get('etag')).toBe(tag);
  expect(await (await seen()).json()).toMatchObject({ expiresAt });
  expect((await extend('what?', 600)).status).toBe(400);

  // An operator who may change bookings, and not see whose they are.
  const bob = { authorization: 'Bearer another-token-of-some', 'x-booking-secret': '' };
  const shown = (await seen(bob)).headers.get('etag');
  expect(shown).not.toBe(tag);
  const byBob = await extend(shown, 600, bob);
  expect(byBob.status).toBe(200);
  expect(await byBob.json()).toMatchObject({ customer: null });
  expect((await extend('*', 700)).status).toBe(200);
});

test('an operator sees whose it is, by the scope, and cancels by another one only', async () => {
  const { path } = await book(await house.newEvent(1));
  const headers = { authorization: 'Bearer a-token-of-some-length' };
  expect((await ask('GET', path, headers)).text).toContain('Grace');
  expect((await ask('DELETE', path, headers)).status).toBe(403);
  const cancelled = await ask('DELETE', path, { authorization: 'Bearer another-token-of-some' });
  expect(cancelled.status).toBe(200);
  expect(cancelled.text).not.toContain('Grace');
});

test('a repeated request gets the same secret, also from another replica', async () => {
  const id = await house.newEvent(1);
  const { secret } = await book(id, { 'idempotency-key': 'once' });
  replicas.reverse();
  const again = await book(id, { 'idempotency-key': 'once' });
  replicas.reverse();
  expect(again.secret).toBe(secret);
});
