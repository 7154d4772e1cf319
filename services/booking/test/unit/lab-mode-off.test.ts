import { expect, test } from 'vitest';

import { createFakeApp } from '../support/fake-app.ts';

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
  ['POST', '/book-with-lock/1', { headers: { 'x-failpoint': 'arrived=exit' } }],
  ['POST', '/events/1/holds', { headers: { 'x-failpoint': 'arrived=pause:1' } }],
])('%s %s is not there', async (method, path, init) => {
  const { app, requests } = createFakeApp({ labMode: false });
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
