import { expect, test } from 'vitest';

import type { Problem } from '#src/contract.ts';

import { createFakeApp } from '../support/fake-app.ts';

const json = { 'content-type': 'application/json' };

/** [what, method, path, init, status, code, fields that are named] */
type Case = [string, string, string, RequestInit, number, string, string[]?];

const cases: Case[] = [
  ['an id that is no number', 'POST', '/book-with-lock/abc', {}, 400, 'invalid_input', ['event_id']],
  ['an id of zero', 'POST', '/book-with-lock/0', {}, 400, 'invalid_input', ['event_id']],
  ['a negative id', 'GET', '/events/-1', {}, 400, 'invalid_input', ['event_id']],
  ['an id with a fraction', 'GET', '/events/1.5', {}, 400, 'invalid_input', ['event_id']],
  ['an id beyond int32', 'GET', '/events/2147483648', {}, 400, 'invalid_input', ['event_id']],
  ['an id in disguise', 'GET', '/events/0x1', {}, 400, 'invalid_input', ['event_id']],
  ['negative tickets', 'POST', '/reset/1?tickets=-1', {}, 400, 'invalid_input', ['tickets']],
  ['too many tickets', 'POST', '/reset/1?tickets=1000001', {}, 400, 'invalid_input', ['tickets']],
  ['empty tickets', 'POST', '/reset/1?tickets=', {}, 400, 'invalid_input', ['tickets']],
  ['a limit of zero', 'GET', '/events?limit=0', {}, 400, 'invalid_input', ['limit']],
  [
    'a race window beyond its bound',
    'POST',
    '/book-no-lock/1',
    { headers: { 'x-race-window-ms': '5001' } },
    400,
    'invalid_input',
    ['x-race-window-ms'],
  ],
  [
    'a race window that is no number',
    'POST',
    '/book-no-lock/1',
    { headers: { 'x-race-window-ms': 'long' } },
    400,
    'invalid_input',
    ['x-race-window-ms'],
  ],
  ...['holds', 'holds=', 'decides=exit', 'holds=pause', 'holds=block:30001', 'holds=exit:1'].map(
    (failpoint): Case => [
      `a failpoint that says ${failpoint}`,
      'POST',
      '/book/fenced-lock/1',
      { headers: { 'x-failpoint': failpoint } },
      400,
      'invalid_input',
      ['x-failpoint'],
    ],
  ),
  ['an unknown strategy', 'POST', '/book/hope/1', {}, 404, 'strategy_not_found'],
  ['an unknown strategy by query', 'POST', '/events/1/bookings?strategy=hope', {}, 404, 'strategy_not_found'],
  ['broken JSON', 'POST', '/events/1/bookings', { headers: json, body: '{"quantity":' }, 400, 'invalid_json'],
  [
    'JSON that is no object',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '[]' },
    400,
    'invalid_input',
    ['body'],
  ],
  [
    'a null body',
    'POST',
    '/events/1/bookings',
    { headers: json, body: 'null' },
    400,
    'invalid_input',
    ['body'],
  ],
  [
    'a form',
    'POST',
    '/events/1/bookings',
    { body: new URLSearchParams({ quantity: '1' }) },
    415,
    'unsupported_media_type',
  ],
  [
    'a body without a type',
    'POST',
    '/events/1/bookings',
    { body: new Blob(['{}']) },
    415,
    'unsupported_media_type',
  ],
  [
    'a quantity of zero',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"quantity":0}' },
    400,
    'invalid_input',
    ['quantity'],
  ],
  [
    'a quantity in words',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"quantity":"1"}' },
    400,
    'invalid_input',
    ['quantity'],
  ],
  [
    'a broken quantity',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"quantity":1.5}' },
    400,
    'invalid_input',
    ['quantity'],
  ],
  [
    'a quantity beyond the limit',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"quantity":101}' },
    400,
    'invalid_input',
    ['quantity'],
  ],
  [
    'an empty customer',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"customer":""}' },
    400,
    'invalid_input',
    ['customer'],
  ],
  [
    'a customer with a NUL',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"customer":"a\\u0000"}' },
    400,
    'invalid_input',
    ['customer'],
  ],
  [
    'half a character',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"customer":"\\ud800"}' },
    400,
    'invalid_input',
    ['customer'],
  ],
  [
    'two mistakes',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"customer":1,"quantity":-1}' },
    400,
    'invalid_input',
    ['customer', 'quantity'],
  ],
  [
    'a misspelt field',
    'POST',
    '/events/1/bookings',
    { headers: json, body: '{"tickets":3}' },
    400,
    'invalid_input',
    ['tickets'],
  ],
  [
    'a body beyond the limit',
    'POST',
    '/events/1/bookings',
    { headers: json, body: JSON.stringify({ customer: 'x'.repeat(17_000) }) },
    413,
    'body_too_large',
  ],
  [
    'an event without a name',
    'POST',
    '/events',
    { headers: json, body: '{"capacity":1}' },
    400,
    'invalid_input',
    ['name'],
  ],
  [
    'an event with a negative capacity',
    'POST',
    '/events',
    { headers: json, body: '{"name":"a","capacity":-1}' },
    400,
    'invalid_input',
    ['capacity'],
  ],
  [
    'a change of nothing',
    'PATCH',
    '/events/1',
    { headers: json, body: '{}' },
    400,
    'invalid_input',
    ['body'],
  ],
  ['a booking id that is none', 'GET', '/bookings/1', {}, 404, 'booking_not_found'],
  ['a booking id that is none, to be cancelled', 'DELETE', '/bookings/1', {}, 404, 'booking_not_found'],
  ['an unknown route', 'GET', '/nothing', {}, 404, 'not_found'],
  ['a route one level too deep', 'GET', '/events/1/2/3', {}, 404, 'not_found'],
];

test.each(cases)('%s is answered clearly', async (_, method, path, init, status, code, fields) => {
  const { app, requests } = createFakeApp();
  const response = await app.request(path, { method, ...init });
  const problem = (await response.json()) as Problem;

  expect(problem).toMatchObject({
    status,
    code,
    instanceId: 'unit-1',
    detail: expect.any(String),
  });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('x-instance-id')).toBe('unit-1');
  expect(problem.errors?.map(({ field }) => field)).toEqual(fields);
  expect(requests, 'nothing may be booked').toEqual([]);
});

test.each([
  ['writing from right to left', 'ada\u202Etxt'],
  ['an isolate', 'ada\u2067'],
  ['a mark', 'ada\u200F'],
  ['the Arabic mark', 'ada\u061C'],
  ['a line separator', 'ada\u2028bob'],
  ['spaces', '   '],
  ['a no-break space', '\u00A0'],
  ['nothing of any width', '\u200B\u200D\uFEFF'],
  ['a filler that looks like nothing', '\u3164\u2800'],
])('a name is refused for %s', async (_, name) => {
  const { app, requests } = createFakeApp();
  for (const [method, path, body] of [
    ['POST', '/book-with-lock/1', { customer: name }],
    ['POST', '/events', { name, capacity: 1 }],
    ['PATCH', '/events/1', { name }],
  ] as const) {
    const response = await app.request(path, { method, headers: json, body: JSON.stringify(body) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid_input',
      errors: [{ field: expect.any(String) }],
    });
  }
  expect(requests).toEqual([]);
});

test.each(['עדה', 'ada lovelace', 'Ada\u200D🎟', 'ﷺ', ' x '])(
  'a name such as %j is fine',
  async (customer) => {
    const { app, requests } = createFakeApp();
    await app.request('/book-with-lock/1', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ customer }),
    });
    expect(requests).toMatchObject([{ customer }]);
  },
);

test.each([
  ['GET', '/book-with-lock/1', 'POST'],
  ['DELETE', '/book-no-lock/1', 'POST'],
  ['PUT', '/events/1', 'GET, PATCH, HEAD'],
  ['OPTIONS', '/events', 'GET, POST, HEAD'],
  ['POST', '/livez', 'GET, HEAD'],
])('%s %s is refused with what is allowed', async (method, path, allow) => {
  const response = await createFakeApp().app.request(path, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe(allow);
  expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
});

test('an unexpected error tells the client nothing', async () => {
  const { app } = createFakeApp({
    outcome: async () => {
      throw new Error('secret');
    },
  });
  const response = await app.request('/book-with-lock/1', { method: 'POST' });
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('secret');
});
