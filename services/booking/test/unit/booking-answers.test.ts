import { expect, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { Outcome, Strategy } from '#src/booking/strategy.ts';
import { WIND_UP_MS } from '#src/time-limits.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { bookingRequest } from '../support/requests.ts';

test.each<[Outcome, number, string | null]>([
  [{ code: 'sold_out' }, 409, null],
  [{ code: 'event_not_found' }, 404, null],
  [{ code: 'busy', detail: 'locked' }, 503, '1'],
  [{ code: 'unavailable', detail: 'down' }, 503, '2'],
  [{ code: 'unknown' }, 504, null],
])('$code has its status', async (outcome, status, retryAfter) => {
  const response = await createFakeApp({ outcome }).app.request('/events/1/bookings', { method: 'POST' });
  expect(response.status).toBe(status);
  expect(response.headers.get('retry-after')).toBe(retryAfter);
  expect(await response.json()).toMatchObject({ code: outcome.code, status });
});

test('a booking names itself, its instance and its strategy, and where to find it', async () => {
  const { app, requests } = createFakeApp({ outcome: { code: 'booked', fencingToken: 7 } });
  const response = await app.request('/book-with-lock/1', {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ customer: 'Ada', quantity: 3 }),
  });
  const bookingId = requests[0]?.bookingId;
  expect(response.status).toBe(201);
  expect(response.headers.get('location')).toBe(`/bookings/${bookingId}`);
  expect(response.headers.get('x-instance-id')).toBe('unit-1');
  expect(await response.json()).toEqual({
    bookingId,
    eventId: 1,
    customer: 'Ada',
    quantity: 3,
    strategy: 'fenced-lock',
    instanceId: 'unit-1',
    fencingToken: 7,
  });
});

test('a body may be left out: one ticket for an unnamed customer', async () => {
  const { app, requests } = createFakeApp();
  await app.request('/book-no-lock/1', { method: 'POST' });
  expect(requests).toMatchObject([{ eventId: 1, quantity: 1, customer: 'anonymous', raceWindowMs: 0 }]);
});

test('an unknown booking can be looked up by the id that the answer names', async () => {
  const { app, requests } = createFakeApp({ outcome: { code: 'unknown' } });
  const response = await app.request('/book-with-lock/1', { method: 'POST' });
  expect(await response.json()).toMatchObject({ bookingId: requests[0]?.bookingId });
});

test('in lab mode each answer tells how many booking requests of its event have come', async () => {
  const { app } = createFakeApp({ outcome: { code: 'sold_out' } });
  const countOf = async (path: string): Promise<string | null> =>
    (await app.request(path, { method: 'POST' })).headers.get('x-request-count');
  const counter = (await countOf('/book-with-lock/1'))?.replace(/\/1$/, '');
  expect(await countOf('/events/1/bookings')).toBe(`${counter}/2`);
  expect(await countOf('/events/2/bookings')).toBe(`${counter}/1`);
});

test('booking ids sort by the time that they were made', async () => {
  const { app, requests } = createFakeApp();
  for (let i = 0; i < 20; i += 1) await app.request('/book-no-lock/1', { method: 'POST' });
  const ids = requests.map(({ bookingId }) => bookingId);
  expect(ids.every((id) => id[14] === '7')).toBe(true);
  expect(ids.map((id) => id.slice(0, 13)).toSorted()).toEqual(ids.map((id) => id.slice(0, 13)));
});

test('the header of a request beats the race window of the instance', async () => {
  const { app, requests } = createFakeApp({ raceWindowMs: 20 });
  await app.request('/book-no-lock/1', { method: 'POST' });
  await app.request('/book-no-lock/1', { method: 'POST', headers: { 'x-race-window-ms': '0' } });
  expect(requests.map(({ raceWindowMs }) => raceWindowMs)).toEqual([20, 0]);
});

test('a request whose client has gone by the time that it is read is dropped', async () => {
  const { app, requests } = createFakeApp();
  const signal = AbortSignal.abort();
  await app.fetch(new Request('http://localhost/book-with-lock/1', { method: 'POST', signal }));
  expect(requests).toEqual([]);
});

test('a strategy that knows no end is answered for before the proxy gives up', async () => {
  const endless = { book: () => new Promise(() => {}) } as unknown as Strategy;
  const deadlineMs = performance.now() - WIND_UP_MS;
  expect(await book(endless, bookingRequest(1, { deadlineMs }))).toMatchObject({ code: 'unknown' });
});

test('a crowd beyond the limit is told to come back', async () => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { app } = createFakeApp({ outcome: () => promise });
  const crowd = Array.from({ length: 4_096 }, async () => app.request('/book-no-lock/1', { method: 'POST' }));
  // Requests without a body reach the strategy within a few turns of the event loop.
  await new Promise(setImmediate);
  const beyond = await app.request('/book-no-lock/1', { method: 'POST' });
  expect(beyond.status).toBe(503);
  resolve({ code: 'sold_out' });
  expect(new Set((await Promise.all(crowd)).map(({ status }) => status))).toEqual(new Set([409]));
  expect((await app.request('/book-no-lock/1', { method: 'POST' })).status).toBe(409);
});

test('readiness tells what stands in the way; liveness does not care', async () => {
  const { app } = createFakeApp({ failedChecks: async () => [{ what: 'Redis gives no answer' }] });
  const ready = await app.request('/readyz');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ code: 'not_ready', detail: 'Redis gives no answer.' });
  expect((await app.request('/livez')).status).toBe(200);
});

test('the no-op route answers with as many bytes as a fenced booking', async () => {
  const { app } = createFakeApp({ outcome: { code: 'booked', fencingToken: Date.now() * 1_000 } });
  const [noop, booked] = await Promise.all(
    ['/noop', '/book-with-lock/1'].map(async (path) => {
      const response = await app.request(path, { method: 'POST' });
      return { status: response.status, length: (await response.text()).length };
    }),
  );
  expect(noop?.status).toBe(201);
  expect(Math.abs((noop?.length ?? 0) - (booked?.length ?? 0))).toBeLessThan(10);
});
