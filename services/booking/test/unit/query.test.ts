import { expect, test } from 'vitest';

import { createFakeApp } from '../support/fake-app.ts';

const routes = createFakeApp().app.routes.map(({ method, path }): [string, string] => [method, path]);

test.each(routes)('%s %s refuses a parameter that it does not know', async (method, path) => {
  const { app, requests } = createFakeApp();
  const url = `${path.replaceAll(/:\w+/g, '1')}?quantity=7&__proto__=1`;
  const response = await app.request(url, { method });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    code: 'invalid_input',
    errors: [
      { field: 'quantity', detail: expect.any(String) },
      { field: '__proto__', detail: expect.any(String) },
    ],
  });
  expect(requests).toEqual([]);
});

test.each([
  ['POST', '/events/1/bookings?strategy=no-lock&strategy=fenced-lock', 'strategy'],
  ['POST', '/reset/1?tickets=1&tickets=2', 'tickets'],
  ['GET', '/events?limit=1&limit=2', 'limit'],
])('%s %s: a parameter that is given twice is refused', async (method, path, field) => {
  const { app, requests } = createFakeApp();
  const response = await app.request(path, { method });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ errors: [{ field }] });
  expect(requests).toEqual([]);
});
