import { createQueueLock } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import { lockNameOf, type Outcome } from '#src/booking/strategy.ts';
import type { Context } from '#src/context.ts';
import { STRATEGY_NAMES, type StrategyName } from '#src/contract.ts';
import { beginEpoch } from '#src/storage/events.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { bookingRequest } from '../support/requests.ts';
import { createTestApp } from '../support/test-app.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** A reset starts over: whoever came before it is not served after it, however long he has waited. */

const opened = new AsyncDisposableStack();
let house: House;
let context: Context;
let redis: Redis;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  const env = { REDIS_URL: inject('redisUrl'), QUORUM_REDIS_URLS: quorum.urls };
  context = opened.use(openTestContext({ DATABASE_URL: house.databaseUrl, ...env }));
  redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  await untilReady(context);
});

afterAll(() => opened.disposeAsync());

async function bookAs(name: StrategyName, eventId: number, arrivedAtMs: number): Promise<Outcome['code']> {
  const request = bookingRequest(eventId, { arrivedAtMs });
  return (await book(strategyOf(context, name), request)).code;
}

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('books nothing for a request that arrived before the reset', async () => {
    const id = await house.newEvent(5);
    const longBefore = performance.now() - 60_000;
    await beginEpoch(house.db, id, 5);
    expect(await bookAs(name, id, longBefore)).toBe('busy');
    expect(await house.event(id)).toMatchObject({ available: 5, booked: 0 });
    expect(await bookAs(name, id, performance.now())).toBe('booked');
  });

  test('tells it that the tickets are gone, where that is what they are', async () => {
    const id = await house.newEvent(0);
    expect(await bookAs(name, id, performance.now() - 60_000)).toBe('sold_out');
    expect(await bookAs(name, 2_147_483_647, performance.now())).toBe('event_not_found');
  });
});

test.each(['row-lock', 'atomic-update', 'batched-update', 'batched-lock'] as const)(
  '%s, waiting for the row that is reset, is not told that the tickets are gone',
  async (name) => {
    const id = await house.newEvent(5);
    const booking = Promise.withResolvers<Outcome['code']>();
    await transact(house.db, async (trx) => {
      await beginEpoch(trx, id, 5);
      bookAs(name, id, performance.now() - 60_000).then(booking.resolve, booking.reject);
      await untilSomebodyWaits(house.db);
    });
    expect(await booking.promise).toBe('busy');
    expect(await house.event(id)).toMatchObject({ available: 5, booked: 0 });
  },
);

test.each(['batched-update', 'batched-lock'] as const)(
  'a batch of %s over a reset books for those who came after it',
  async (name) => {
    const id = await house.newEvent(2);
    await beginEpoch(house.db, id, 2);
    const arrivals = [-60_000, 0, -60_000, 0, 0].map((ms) => performance.now() + ms);
    const codes = await Promise.all(arrivals.map((arrivedAtMs) => bookAs(name, id, arrivedAtMs)));
    expect(codes).toEqual(['busy', 'booked', 'busy', 'booked', 'sold_out']);
    expect(await house.event(id)).toMatchObject({ available: 0, booked: 2 });
  },
);

test.each(['batched-update', 'batched-lock'] as const)(
  '%s looks at each of several events that are booked together',
  async (name) => {
    const ids = [await house.newEvent(5), await house.newEvent(5), await house.newEvent(5)];
    await beginEpoch(house.db, ids[1]!, 5);
    const longBefore = performance.now() - 60_000;
    const codes = await Promise.all(ids.map((id) => bookAs(name, id, longBefore)));
    expect(codes).toEqual(['booked', 'busy', 'booked']);
  },
);

test('a request that waits for the lock over a reset is told to come back, and can', async () => {
  const app = createTestApp(context);
  const post = async (path: string) => app.request(path, { method: 'POST' });
  await using locks = createQueueLock(redis);
  const id = await house.newEvent(1);
  const lease = await locks.acquire(lockNameOf(id));
  const waiting = post(`/book-with-lock/${id}`);
  expect((await post(`/reset/${id}`)).status).toBe(200);
  await putOffReset(id, 60);
  await lease.release();
  expect((await waiting).status).toBe(503);
  await putOffReset(id, -60);
  expect((await post(`/book-with-lock/${id}`)).status).toBe(201);
});

/** As if so long a time lay between the request and the reset: more than any way to Postgres takes. */
async function putOffReset(eventId: number, seconds: number): Promise<void> {
  await sql`
    update inventory set epoch_began_at = epoch_began_at + ${seconds} * interval '1 second'
    where event_id = ${eventId}`.execute(house.db);
}
