import { expect, test } from 'vitest';

import type { Operator } from '#src/operators.ts';
import type { PooledDb } from '#src/storage/pool.ts';

import { createFakeApp } from '../support/fake-app.ts';

/** Outside lab mode; what needs a real booking is in integration/whose-booking.test.ts. */

const operators: Operator[] = [
  { name: 'ada', token: 'a-token-of-some-length', scopes: ['events:write'] },
  { name: 'bob', token: 'dGhlIHRva2VuIG9mIGFuIG9wZXJhdG9y+/==', scopes: ['bookings:read', 'bookings:write'] },
];

const event = { 'content-type': 'application/json' };
const body = '{"name":"a","capacity":1}';
const aBooking = '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d';

const touched = new Error('the database was reached');
const db = new Proxy({} as PooledDb, {
  get() {
    throw touched;
  },
});

test('without operators events cannot be changed at all, and the answer says what to configure', async () => {
  const { app } = createFakeApp({ labMode: false });
  for (const [method, path] of [
    ['POST', '/events'],
    ['PATCH', '/events/1'],
  ] as const) {
    const response = await app.request(path, { method, body, headers: event });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('OPERATORS') });
  }
});

test.each([
  ['no token', {}],
  ['a wrong token', { authorization: 'Bearer a-token-of-some-lengtH' }],
  ['a longer one', { authorization: 'Bearer a-token-of-some-length-' }],
  ['another scheme', { authorization: 'Basic a-token-of-some-length' }],
  ['the secret of nothing', { 'x-booking-secret': 'a-token-of-some-length' }],
])('%s changes nothing', async (_, headers) => {
  const { app } = createFakeApp({ labMode: false, operators, db });
  for (const [method, path, sent] of [
    ['POST', '/events', body],
    ['PATCH', '/events/1', body],
    ['DELETE', aBooking, null],
  ] as const) {
    const response = await app.request(path, { method, body: sent, headers: { ...event, ...headers } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  }
});

test.each([
  ['ada', 'POST', '/events', body],
  ['ada', 'PATCH', '/events/1', body],
  ['bob', 'DELETE', aBooking, null],
])('%s, who has the scope, may %s %s, and the log names him', async (name, method, path, sent) => {
  const { app, lines } = createFakeApp({ labMode: false, operators, db });
  const { token } = operators.find((operator) => operator.name === name)!;
  await app.request(path, { method, body: sent, headers: { ...event, authorization: `bearer ${token}` } });
  expect(lines).toMatchObject([{ level: 'info', operator: name, method, path }, { err: touched }]);
});

test.each([
  ['bob', 'POST', '/events', 'events:write'],
  ['ada', 'DELETE', aBooking, 'bookings:write'],
])('%s, who has not the scope, may not %s %s', async (name, method, path, scope) => {
  const { app } = createFakeApp({ labMode: false, operators, db });
  const { token } = operators.find((operator) => operator.name === name)!;
  const response = await app.request(path, {
    method,
    headers: { ...event, authorization: `Bearer ${token}` },
    body: method === 'POST' ? body : null,
  });
  expect(response.status).toBe(403);
  expect(response.headers.get('www-authenticate')).toContain(`scope="${scope}"`);
  expect(await response.text()).not.toContain(token);
});

async function secretOf(bookingKey: string): Promise<string | null> {
  const { app } = createFakeApp({ labMode: false, bookingKey });
  const response = await app.request('/events/1/bookings', { method: 'POST' });
  return response.headers.get('x-booking-secret');
}

test('each booking has a secret of its own, and the no-op route makes one too', async () => {
  const [first, second, other] = [
    await secretOf('one key'),
    await secretOf('one key'),
    await secretOf('another'),
  ];
  expect(first).toMatch(/^[\w-]{43}$/);
  expect(new Set([first, second, other]).size).toBe(3);
  expect(
    (await createFakeApp().app.request('/noop', { method: 'POST' })).headers.get('x-booking-secret'),
  ).toHaveLength(43);
});
