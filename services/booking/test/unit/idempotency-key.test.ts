import { expect, test } from 'vitest';

import { createFakeApp } from '../support/fake-app.ts';

const bookWith = async (key: string) => {
  const { app, requests } = createFakeApp();
  const init = { method: 'POST', headers: { 'idempotency-key': key } };
  const { status } = await app.request('/events/1/bookings', init);
  return { status, keys: requests.map(({ idempotencyKey }) => idempotencyKey) };
};

test.each(['a', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'order 1, of ada ~', 'k'.repeat(255)])(
  'a key is taken as it is written: %s',
  async (key) => {
    expect(await bookWith(key)).toEqual({ status: 201, keys: [key] });
  },
);

test.each([
  ['empty', ''],
  ['too long', 'k'.repeat(256)],
  ['not printable', 'a\tb'],
  ['not ASCII', 'é'],
])('a key that is %s is refused, and nothing is booked', async (_what, key) => {
  expect(await bookWith(key)).toEqual({ status: 400, keys: [] });
});

test('without the header there is no key', async () => {
  const { app, requests } = createFakeApp();
  await app.request('/events/1/bookings', { method: 'POST' });
  expect(requests[0]?.idempotencyKey).toBeNull();
});
