import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { bookingRequest } from '../support/requests.ts';

/** What `quorum-lock` makes of its servers: none, three, and then fewer. */

const opened = new AsyncDisposableStack();
let house: House;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
});

afterAll(() => opened.disposeAsync());

async function open(env: NodeJS.ProcessEnv) {
  const context = openTestContext({
    DATABASE_URL: house.databaseUrl,
    REDIS_URL: inject('redisUrl'),
    LOCK_WAIT_MS: '1000',
    ...env,
  });
  await untilReady(context);
  return context;
}

test('without servers it says how to start them, and books nothing', async () => {
  await using context = await open({});
  const eventId = await house.newEvent(1);
  expect(await book(strategyOf(context, 'quorum-lock'), bookingRequest(eventId))).toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining('make up QUORUM=3') as string,
  });
  expect(await house.rowsOf(eventId)).toEqual([]);
});

test('with one of three servers dead it books, with two dead nothing, and once they are back again', async () => {
  await using quorum = await startQuorum();
  await using context = await open({ QUORUM_REDIS_URLS: quorum.urls });
  const quorumLock = strategyOf(context, 'quorum-lock');
  const eventId = await house.newEvent(3);
  expect(await book(quorumLock, bookingRequest(eventId))).toMatchObject({ code: 'booked' });

  const [first, second] = quorum.servers;
  await first!.kill();
  expect(await book(quorumLock, bookingRequest(eventId))).toMatchObject({ code: 'booked' });

  await second!.kill();
  const refused = await book(quorumLock, bookingRequest(eventId));
  expect(refused.code).toBeOneOf(['unavailable', 'busy']);
  expect(await house.event(eventId)).toMatchObject({ available: 1, booked: 2 });

  await Promise.all([first!.restart(), second!.restart()]);
  await expect
    .poll(async () => (await book(quorumLock, bookingRequest(eventId))).code, { timeout: 15_000 })
    .toBe('booked');
  expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 3 });
});
