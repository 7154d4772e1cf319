import { hc } from 'hono/client';
import { expect, expectTypeOf, test } from 'vitest';

import type { BookingApi } from '#src/client.ts';
import type { BookingView, EventView, Problem } from '#src/contract.ts';

import { createFakeApp } from '../support/fake-app.ts';

const { app } = createFakeApp();
const api = hc<BookingApi>('http://localhost', {
  fetch: async (input: string | Request | URL, init?: RequestInit) => app.request(input, init),
});

test('a typed client knows what a booking takes and what it gets', async () => {
  const answer = await api.events[':event_id'].bookings.$post({
    param: { event_id: '1' },
    query: {},
    json: { customer: 'ada', quantity: 2 },
  });
  if (answer.status !== 201) throw new Error(`answered ${answer.status}`);
  const booking = await answer.json();
  expectTypeOf(booking).toEqualTypeOf<BookingView>();
  expect(booking).toMatchObject({ customer: 'ada', quantity: 2, strategy: 'batched-update' });
});

test('a typed client tells an answer from a problem by the status', async () => {
  const answer = await api.bookings[':booking_id'].$get({ param: { booking_id: 'none' } });
  if (answer.status === 200 || answer.status === 304) throw new Error('there is no such booking');
  const problem = await answer.json();
  expectTypeOf(problem).toEqualTypeOf<Problem>();
  expect(problem.code).toBe('booking_not_found');
});

test('a typed client does not compile with what a route does not take', async () => {
  // @ts-expect-error a quantity is a number
  await api['book-with-lock'][':event_id'].$post({ param: { event_id: '1' }, json: { quantity: 'two' } });
  // @ts-expect-error there is no such route
  expect(api.tickets.$get).toBeTypeOf('function');
  type Listed = Awaited<ReturnType<Awaited<ReturnType<typeof api.events.$get>>['json']>>;
  expectTypeOf<Extract<Listed, unknown[]>>().toEqualTypeOf<EventView[]>();
});
