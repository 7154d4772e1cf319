import { expect, test } from 'vitest';

import { readConfig } from '#src/config.ts';
import type { PooledDb } from '#src/storage/pool.ts';

import { createFakeApp } from '../support/fake-app.ts';

const adminToken = 'a-token-of-some-length';
const addresses = { DATABASE_URL: 'postgres://u:p@db:5432/lastseat', REDIS_URL: 'redis://redis:6379' };
const event = { headers: { 'content-type': 'application/json' }, body: '{"name":"a","capacity":1}' };

test.each([
  ['POST', '/book-no-lock/1', {}],
  ['POST', '/book-no-lock/abc', {}],
  ['POST', '/book/atomic-update/1', {}],
  ['POST', '/events/1/bookings?strategy=fenced-lock', {}],
  ['POST', '/reset/1?tickets=5', {}],
  ['POST', '/reset/abc', {}],
  ['POST', '/noop', {}],
  ['GET', '/noop', {}],
  ['POST', '/book-with-lock/1', { headers: { 'x-race-window-ms': '10' } }],
])('%s %s is not there', async (method, path, init) => {
  const { app, requests } = createFakeApp({ labMode: false, adminToken });
  const response = await app.request(path, { method, ...init });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'lab_mode_off' });
  expect(requests).toEqual([]);
});

test.each(['/book-with-lock/1', '/events/1/bookings'])('%s books as ever', async (path) => {
  const response = await createFakeApp({ labMode: false }).app.request(path, { method: 'POST' });
  expect(response.status).toBe(201);
  expect(response.headers.get('x-request-count')).toBeNull();
});

test('without a token configured, events cannot be changed at all, nor bookings taken back', async () => {
  const { app } = createFakeApp({ labMode: false });
  for (const [method, path] of [
    ['POST', '/events'],
    ['PATCH', '/events/1'],
    ['DELETE', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d'],
  ] as const) {
    const response = await app.request(path, { method, ...event });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('ADMIN_TOKEN') });
  }
});

test.each([
  ['no token', {}],
  ['a wrong token', { authorization: 'Bearer a-token-of-some-lengtH' }],
  ['another scheme', { authorization: `Basic ${adminToken}` }],
])('%s changes nothing', async (_, headers) => {
  const { app } = createFakeApp({ labMode: false, adminToken });
  for (const [method, path, body] of [
    ['POST', '/events', event.body],
    ['DELETE', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d', null],
  ] as const) {
    const response = await app.request(path, { method, body, headers: { ...event.headers, ...headers } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  }
});

test.each(['a-token-of-some-length', 'dGhlIHRva2VuIG9mIGFuIG9wZXJhdG9y+/==', 'of~every.kind_of-character'])(
  'the right token (%s) is let through',
  async (adminToken) => {
    expect(readConfig({ ...addresses, ADMIN_TOKEN: adminToken })).toMatchObject({ adminToken });
    const touched = new Error('the database was reached');
    const db = new Proxy({} as PooledDb, {
      get() {
        throw touched;
      },
    });
    const { app, lines } = createFakeApp({ labMode: false, adminToken, db });
    const headers = { ...event.headers, authorization: `Bearer ${adminToken}` };
    await app.request('/events', { method: 'POST', body: event.body, headers });
    expect(lines).toMatchObject([{ err: touched }]);
  },
);
