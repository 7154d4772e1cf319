import { startFaultProxy } from '@lastseat/infra/servers';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';
import type { Context } from '#src/context.ts';
import type { StrategyName } from '#src/contract.ts';
import { lockStock, readStock } from '#src/storage/inventory.ts';
import { allowIdle } from '#src/storage/transaction.ts';

import { openHouse, openTestContext, strategyOf, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';
import { expectSoldOneByOne } from '../support/sold-one-by-one.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse(inject('postgresUrl'));
});

afterAll(() => house[Symbol.asyncDispose]());

function openReplica(env: NodeJS.ProcessEnv = {}): Context {
  return openTestContext({ DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl'), ...env });
}

function bookIn(context: Context, name: StrategyName, asked: BookingRequest): Promise<Outcome> {
  return book(strategyOf(context, name), asked);
}

describe.each(['batched-lock', 'batched-update'] as const)('%s', (name) => {
  test('a batch is one statement under one token, and rows are in arrival order', async () => {
    await using replica = openReplica();
    const eventId = await house.newEvent(100);
    const asked = Array.from({ length: 40 }, () => bookingRequest(eventId));
    const outcomes = await Promise.all(asked.map((each) => bookIn(replica, name, each)));

    expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['booked']));
    expect(new Set(outcomes.map((outcome) => outcome.code === 'booked' && outcome.fencingToken)).size).toBe(
      1,
    );
    expect(await readStock(house.db, eventId)).toMatchObject({ available: 60, version: 1 });
    await expectSoldOneByOne(house, eventId, asked, outcomes);
  });

  test('random quantities, stocks and replicas: exact, whole or not at all, never undersold', async () => {
    await using one = openReplica();
    await using two = openReplica();
    const buyers = fc.array(fc.record({ quantity: fc.integer({ min: 1, max: 5 }), atOne: fc.boolean() }), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(60), buyers, async (capacity, crowd) => {
        const eventId = await house.newEvent(capacity);
        const asked = crowd.map(({ quantity }) => bookingRequest(eventId, { quantity }));
        const outcomes = await Promise.all(
          asked.map((each, i) => bookIn(crowd[i]!.atOne ? one : two, name, each)),
        );
        await expectSoldOneByOne(house, eventId, asked, outcomes);
      }),
      { numRuns: 25 },
    );
  });

  test('connections cut at random moments: every answer is true, and what is unknown may be either', async () => {
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    await using cut = openReplica({ DATABASE_URL: proxy.through(house.databaseUrl) });
    await using whole = openReplica();
    const waits = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.nat(30), waits, async (capacity, cutsAfterMs) => {
        const eventId = await house.newEvent(capacity);
        const asked = Array.from({ length: 24 }, (_, i) =>
          bookingRequest(eventId, { quantity: 1 + (i % 3) }),
        );
        const answers = asked.map((each, i) => bookIn(i % 2 === 0 ? cut : whole, name, each));
        for (const waitMs of cutsAfterMs) {
          await new Promise((resolve) => void setTimeout(resolve, waitMs));
          proxy.cut('reset');
        }
        await expectSoldOneByOne(house, eventId, asked, await Promise.all(answers));
      }),
      { numRuns: 12 },
    );
  });

  test('the answer of the whole batch is lost: it is found, not booked twice', async () => {
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    await using replica = openReplica({ DATABASE_URL: proxy.through(house.databaseUrl) });
    const eventId = await house.newEvent(10);
    const lost = proxy.dropReplies(1, { matching: (bytes) => bytes.includes('marked') });
    const asked = [1, 2, 3].map(() => bookingRequest(eventId, { customer: 'marked' }));
    const outcomes = await Promise.all(asked.map((each) => bookIn(replica, name, each)));

    await lost.done;
    expect(outcomes.map(({ code }) => code)).toEqual(['booked', 'booked', 'booked']);
    expect((await house.event(eventId)).available).toBe(7);
    await expectSoldOneByOne(house, eventId, asked, outcomes);
    expect(replica.retriesOf(name)).toBe(1);
  });

  test('the answer to COMMIT is lost when stock ends in mid-batch: winners are found, losers stay refused', async () => {
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    await using replica = openReplica({ DATABASE_URL: proxy.through(house.databaseUrl) });
    const eventId = await house.newEvent(3);
    const lost = proxy.dropReplies(1, { matching: (bytes) => bytes.includes('commit\0') });
    const asked = [2, 2, 1].map((quantity) => bookingRequest(eventId, { quantity }));
    const outcomes = await Promise.all(asked.map((each) => bookIn(replica, name, each)));

    await lost.done;
    expect(outcomes.map(({ code }) => code)).toEqual(['booked', 'sold_out', 'booked']);
    await expectSoldOneByOne(house, eventId, asked, outcomes);
  });

  test('a batch that waits for a row held by another strategy is refused as busy, and books once it is free', async () => {
    await using replica = openReplica();
    const eventId = await house.newEvent(10);
    const { promise: holding, resolve: isHeld } = Promise.withResolvers<void>();
    const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
    const holder = house.db.transaction().execute(async (trx) => {
      await allowIdle(trx, 10_000);
      await lockStock(trx, eventId);
      isHeld();
      await letGo;
    });
    await holding;
    expect(await bookIn(replica, name, bookingRequest(eventId))).toMatchObject({ code: 'busy' });
    release();
    await holder;
    expect(await bookIn(replica, name, bookingRequest(eventId))).toMatchObject({ code: 'booked' });
  });

  test('an event that does not exist is told apart from one that is sold out', async () => {
    await using replica = openReplica();
    expect(await bookIn(replica, name, bookingRequest(2_000_000_000))).toEqual({ code: 'event_not_found' });
    expect(await bookIn(replica, name, bookingRequest(await house.newEvent(0)))).toEqual({
      code: 'sold_out',
    });
  });

  test('a slow batch in one replica and a crowd in another one: every answer is true', async () => {
    await using slow = openReplica({ INSTANCE_ID: 'slow' });
    await using other = openReplica({ INSTANCE_ID: 'other' });
    const eventId = await house.newEvent(700);
    const asked = Array.from({ length: 1_301 }, (_, i) =>
      bookingRequest(eventId, i === 0 ? { raceWindowMs: 650 } : {}),
    );
    const [first, ...others] = asked as [BookingRequest, ...BookingRequest[]];
    const answers = [bookIn(slow, name, first)];
    answers.push(...others.map((each, i) => bookIn(i % 100 === 0 ? slow : other, name, each)));
    const outcomes = await Promise.all(answers);
    expect(outcomes.filter(({ code }) => code === 'booked')).toHaveLength(700);
    await expectSoldOneByOne(house, eventId, asked, outcomes);
  });

  test('locked rows keep their own buyers waiting, and nobody else', async () => {
    await using replica = openReplica();
    const locked = await Promise.all(Array.from({ length: 10 }, () => house.newEvent(1)));
    const free = await house.newEvent(10);
    const waiting: Promise<Outcome>[] = [];
    await house.db.transaction().execute(async (trx) => {
      for (const eventId of locked) await lockStock(trx, eventId);
      waiting.push(...locked.map((eventId) => bookIn(replica, name, bookingRequest(eventId))));
      // All of them while the rows are locked, by a transaction that is never idle for long enough to be ended.
      for (let i = 0; i < 3; i += 1) {
        expect(await bookIn(replica, name, bookingRequest(free))).toMatchObject({ code: 'booked' });
        await readStock(trx, free);
      }
    });
    expect(new Set((await Promise.all(waiting)).map(({ code }) => code))).toEqual(new Set(['booked']));
  });

  test('a row whose holder is stopped in mid-transaction is soon free again', async () => {
    await using replica = openReplica();
    await using stopped = openReplica({ INSTANCE_ID: 'stopped' });
    const eventId = await house.newEvent(1);
    const holding = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    const holder = stopped.db.transaction().execute(async (trx) => {
      await lockStock(trx, eventId);
      holding.resolve();
      await letGo.promise;
    });
    await holding.promise;
    await expect
      .poll(async () => (await bookIn(replica, name, bookingRequest(eventId))).code, { interval: 1 })
      .toBe('booked');
    letGo.resolve();
    await expect(holder).rejects.toMatchObject({ name: 'PostgresUnavailableError' });
  });
});

test('a fence above every token that Redis would mint is overtaken, not an end of all bookings', async () => {
  await using replica = openReplica();
  const eventId = await house.newEvent(10);
  const future = (Date.now() + 86_400_000) * 1_000;
  await house.db.updateTable('inventory').set({ fence: future }).where('event_id', '=', eventId).execute();

  const outcome = await bookIn(replica, 'batched-lock', bookingRequest(eventId));
  expect(outcome).toMatchObject({ code: 'booked' });
  expect((await readStock(house.db, eventId))?.fence).toBeGreaterThan(future);
  expect(await bookIn(replica, 'batched-lock', bookingRequest(eventId))).toMatchObject({ code: 'booked' });
});

test('a lease that is lost in mid-batch is noticed before COMMIT, and the batch runs again, once', async () => {
  await using replica = openReplica({ LOCK_TTL_MS: '300' });
  await using redis = disposable(new Redis(inject('redisUrl')));
  const eventId = await house.newEvent(10);
  const asked = [1, 2].map(() => bookingRequest(eventId, { raceWindowMs: 500 }));
  const answers = asked.map((each) => bookIn(replica, 'batched-lock', each));
  await expect.poll(() => redis.client.keys(`*event:${eventId}}*`), { interval: 5 }).not.toEqual([]);
  await redis.client.del(...(await redis.client.keys(`*event:${eventId}}*`)));

  const outcomes = await Promise.all(answers);
  expect(outcomes.map(({ code }) => code)).toEqual(['booked', 'booked']);
  expect(replica.retriesOf('batched-lock')).toBe(1);
  await expectSoldOneByOne(house, eventId, asked, outcomes);
});

test('without Redis batched-update sells, and batched-lock says that it can not', async () => {
  await using proxy = await startFaultProxy(Number(new URL(inject('redisUrl')).port));
  await using replica = openReplica({ REDIS_URL: proxy.through(inject('redisUrl')) });
  const eventId = await house.newEvent(10);
  expect(await bookIn(replica, 'batched-lock', bookingRequest(eventId))).toMatchObject({ code: 'booked' });
  await proxy.refuse();
  const other = await house.newEvent(10);
  expect(await bookIn(replica, 'batched-lock', bookingRequest(other))).toMatchObject({ code: 'unavailable' });
  expect(await house.rowsOf(other)).toEqual([]);
  expect(await bookIn(replica, 'batched-update', bookingRequest(other))).toMatchObject({ code: 'booked' });
  await proxy.heal();
  await expect
    .poll(async () => (await bookIn(replica, 'batched-lock', bookingRequest(other))).code)
    .toBe('booked');
});

test('an event that nobody books any more leaves nothing in Redis', async () => {
  await using replica = openReplica({ LOCK_TTL_MS: '100' });
  await using redis = disposable(new Redis(inject('redisUrl')));
  for (const name of ['simple-lock', 'fenced-lock', 'batched-lock'] as const) {
    const eventId = await house.newEvent(1);
    expect(await bookIn(replica, name, bookingRequest(eventId))).toMatchObject({ code: 'booked' });
    await expect.poll(() => redis.client.keys(`*event:${eventId}}*`)).toEqual([]);
  }
});

test('an event that does not exist costs Redis no key', async () => {
  await using replica = openReplica();
  await using redis = disposable(new Redis(inject('redisUrl')));
  for (const name of ['simple-lock', 'fenced-lock', 'batched-lock'] as const) {
    const eventId = 1_999_999_000;
    expect(await bookIn(replica, name, bookingRequest(eventId))).toEqual({ code: 'event_not_found' });
    expect(await redis.client.keys(`*event:${eventId}*`)).toEqual([]);
  }
});

function disposable(client: Redis): AsyncDisposable & { client: Redis } {
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() };
}
