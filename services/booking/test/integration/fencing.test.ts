import { createSimpleLock } from '@lastseat/locking';
import type { AcquireOptions, Locks } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { bookFenced, type FencedDeps } from '#src/booking/book-fenced.ts';
import { takeStockFenced } from '#src/storage/inventory.ts';
import { transact } from '#src/storage/transaction.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

/** The fence in Postgres: late tokens are refused, and no refusal is for good. */

const opened = new AsyncDisposableStack();
let house: House;
let locks: Locks;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  locks = opened.use(createSimpleLock(redis));
});

afterAll(() => opened.disposeAsync());

function depsOf(): { deps: FencedDeps; retries: string[] } {
  const retries: string[] = [];
  const deps = {
    db: house.db,
    instanceId: 'test',
    eventExists: async () => true,
    lockTtlMs: 3_000,
    lockWaitMs: 3_000,
    onRetry: (strategy: string) => retries.push(strategy),
    onReleaseFailed: () => {},
  };
  return { deps, retries };
}

async function setFence(eventId: number, fence: number): Promise<void> {
  await sql`update inventory set fence = ${fence} where event_id = ${eventId}`.execute(house.db);
}

async function fenceOf(eventId: number): Promise<number> {
  const { rows } = await sql<{
    fence: number;
  }>`select fence from inventory where event_id = ${eventId}`.execute(house.db);
  return rows[0]!.fence;
}

test('a late token takes nothing, the same token and a newer one do', async () => {
  const eventId = await house.newEvent(5);
  await setFence(eventId, 10);
  const take = (token: number) =>
    transact(house.db, (trx) => takeStockFenced(trx, { eventId, epoch: 1, quantity: 1, token }));
  expect(await take(9)).toBeUndefined();
  expect(await take(10)).toMatchObject({ stockRevision: 1 });
  expect(await take(11)).toMatchObject({ stockRevision: 2 });
  expect(await take(10)).toBeUndefined();
  expect(await fenceOf(eventId)).toBe(11);
  expect((await house.event(eventId)).available).toBe(3);
});

test('a fence from the future is overtaken: Redis is re-seeded above it, for everybody', async () => {
  const eventId = await house.newEvent(5);
  // As if Redis had lost its data and its clock were a week behind.
  const future = (Date.now() + 7 * 86_400_000) * 1_000;
  await setFence(eventId, future);
  const { deps, retries } = depsOf();

  const first = await bookFenced(deps, locks, 'fenced-lock', bookingRequest(eventId));
  expect(first).toMatchObject({ code: 'booked' });
  expect(await fenceOf(eventId)).toBeGreaterThan(future);
  expect(retries).toHaveLength(1);

  const second = await bookFenced(deps, locks, 'fenced-lock', bookingRequest(eventId));
  expect(second).toMatchObject({ code: 'booked' });
  expect(retries, 'the second needs no second lease').toHaveLength(1);
});

test('tokens of bookings grow in the order in which they were made', async () => {
  const eventId = await house.newEvent(30);
  const { deps } = depsOf();
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => bookFenced(deps, locks, 'fenced-lock', bookingRequest(eventId))),
  );
  expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['booked']));
  const { rows } = await sql<{ token: number }>`
    select fencing_token as token from bookings where event_id = ${eventId} order by created_at`.execute(
    house.db,
  );
  const tokens = rows.map(({ token }) => token);
  expect(new Set(tokens).size).toBe(20);
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
});

test('a holder overtaken between its read and its write is refused and books under a new lease', async () => {
  const eventId = await house.newEvent(5);
  const { deps, retries } = depsOf();
  let grants = 0;
  const overtaken: Locks = {
    ...locks,
    async acquire(name: string | readonly string[], options?: AcquireOptions) {
      const lease = await locks.acquire(name, options);
      grants += 1;
      // A newer holder has booked in the meantime.
      if (grants === 1) await setFence(eventId, lease.token + 1);
      return lease;
    },
  };
  const outcome = await bookFenced(deps, overtaken, 'fenced-lock', bookingRequest(eventId));
  expect(outcome.code).toBe('booked');
  expect({ grants, retries }).toEqual({ grants: 2, retries: ['fenced-lock'] });
  expect(await house.event(eventId)).toMatchObject({ available: 4, booked: 1 });
});

test('whoever is overtaken every time is told to come back, and has written nothing', async () => {
  const eventId = await house.newEvent(5);
  const { deps } = depsOf();
  const unlucky: Locks = {
    ...locks,
    async acquire(name: string | readonly string[], options?: AcquireOptions) {
      const lease = await locks.acquire(name, options);
      await setFence(eventId, lease.token + 1);
      return lease;
    },
  };
  const outcome = await bookFenced(deps, unlucky, 'fenced-lock', bookingRequest(eventId));
  expect(outcome.code).toBe('busy');
  expect(await house.event(eventId)).toMatchObject({ available: 5, booked: 0 });
});

test('a lease lost before the commit is rolled back and the booking made under a new one', async () => {
  const eventId = await house.newEvent(5);
  const { deps, retries } = depsOf();
  let grants = 0;
  const shortLived: Locks = {
    ...locks,
    async acquire(name: string | readonly string[], options?: AcquireOptions) {
      grants += 1;
      return locks.acquire(name, grants === 1 ? { ...options, ttlMs: 100, renew: false } : options);
    },
  };
  const outcome = await bookFenced(
    deps,
    shortLived,
    'fenced-lock',
    bookingRequest(eventId, { raceWindowMs: 200 }),
  );
  expect(outcome.code).toBe('booked');
  expect(retries).toHaveLength(1);
  expect(await house.event(eventId)).toMatchObject({ available: 4, booked: 1 });
});
