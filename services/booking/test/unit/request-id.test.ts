import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { expect, test } from 'vitest';

import { listen } from '#src/http/server.ts';

import { createFakeApp } from '../support/fake-app.ts';
import { withoutBugs } from '../support/log.ts';

const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
const given = '8f14e45fceea167a5a36dedd4bea2543';
const sameAsUuid = '8f14e45f-ceea-167a-5a36-dedd4bea2543';

test.each([given, sameAsUuid, given.toUpperCase()])('%s is taken as it came', async (id) => {
  const { app, requests } = createFakeApp();
  const init = { method: 'POST', headers: { 'x-request-id': id } };
  const response = await app.request('/events/1/bookings', init);
  expect(response.headers.get('x-request-id')).toBe(id);
  expect(requests).toMatchObject([{ requestId: sameAsUuid, mayBeRepeated: id === sameAsUuid }]);
});

test.each([undefined, '', 'harmless', `${given}0`, `${given}, ${given}`, '{8f14e45f}'])(
  '%j is none: the request gets one here',
  async (id) => {
    const { app, requests } = createFakeApp();
    const headers = id === undefined ? {} : { 'x-request-id': id };
    const response = await app.request('/events/1/bookings', { method: 'POST', headers });
    const made = response.headers.get('x-request-id');
    expect(made).toMatch(uuid);
    expect(requests).toMatchObject([{ requestId: made, mayBeRepeated: false }]);
  },
);

test.each([
  ['GET', '/livez', 200],
  ['POST', '/noop', 201],
  ['GET', '/strategies', 200],
  ['GET', '/nowhere', 404],
  ['DELETE', '/events/1', 405],
  ['POST', '/events/abc/bookings', 400],
  ['POST', '/book/no-such-thing/1', 404],
  ['GET', '/requests/abc', 404],
])('%s %s names the request that it answers', async (method, path, status) => {
  const response = await createFakeApp().app.request(path, { method, headers: { 'x-request-id': given } });
  expect(response.status).toBe(status);
  expect(response.headers.get('x-request-id')).toBe(given);
  if (status >= 400) expect(await response.json()).toMatchObject({ requestId: given });
});

test('an unknown booking is to be looked up by its request', async () => {
  const { app } = createFakeApp({ outcome: { code: 'unknown' } });
  const response = await app.request('/book-with-lock/1', {
    method: 'POST',
    headers: { 'x-request-id': given },
  });
  expect(await response.json()).toMatchObject({
    code: 'unknown',
    requestId: given,
    detail: expect.stringContaining(`GET /requests/${given} `),
  });
});

test('a request that has booked before is answered with its booking', async () => {
  const booking = {
    bookingId: '01a20a1f-adc1-79b2-9e70-52c6edbaeb9d',
    eventId: 1,
    customer: 'ada',
    quantity: 2,
    strategy: 'row-lock',
    instanceId: 'another',
    fencingToken: null,
  };
  const stored = {
    epoch: 3,
    state: 'confirmed',
    holdS: null,
    expiresAt: null,
    firstExpiresAt: null,
  } as const;
  const before = { ...booking, ...stored, requestId: sameAsUuid, idempotencyKey: null };
  const { app } = createFakeApp({ outcome: { code: 'booked_before', booking: before } });
  const response = await app.request('/book-with-lock/1', { method: 'POST' });
  expect(response.status).toBe(201);
  expect(response.headers.get('location')).toBe(`/bookings/${booking.bookingId}`);
  expect(await response.json()).toEqual(booking);
});

test('the id of another request is refused', async () => {
  const { app } = createFakeApp({ outcome: { code: 'request_id_reused' } });
  const response = await app.request('/book-with-lock/1', { method: 'POST' });
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ code: 'request_id_reused' });
});

test('what the app never sees is answered with an id too', async () => {
  const server = await listen(createFakeApp().app, {
    host: '127.0.0.1',
    port: 0,
    instanceId: 'unit-1',
    log: withoutBugs,
  });
  const send = (request: string) => text(connect(server.port, '127.0.0.1').end(request));
  const head = `GET /livez HTTP/1.1\r\nhost: a\r\nx-request-id: ${given}\r\nconnection: close\r\n`;
  const [garbage, hostless, expecting] = await Promise.all([
    send('hello\r\n\r\n'),
    send('GET /livez HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n'),
    send(`${head}expect: magic\r\n\r\n`),
  ]);
  for (const answer of [garbage, hostless]) {
    const [, id] = /^x-request-id: (\S+)\r$/im.exec(answer) ?? [];
    expect(id).toMatch(uuid);
    expect(answer).toContain(`"requestId":"${id}"`);
  }
  expect(expecting).toContain(`"requestId":"${given}"`);
  await server.drain({ delayMs: 0, graceMs: 1_000 });
});
