import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { openHouse, type House } from '../support/house.ts';
import { startReplica, type Replica } from '../support/replica.ts';

/** Postgres or Redis goes away and comes back: clear answers in good time meanwhile, and service by itself after. */

const opened = new AsyncDisposableStack();
let house: House;
let postgres: FaultProxy;
let redis: FaultProxy;
let replica: Replica;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  postgres = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  redis = opened.use(await startFaultProxy(Number(new URL(inject('redisUrl')).port)));
  replica = opened.use(
    await startReplica('lonely', {
      DATABASE_URL: postgres.through(house.databaseUrl),
      REDIS_URL: redis.through(inject('redisUrl')),
      LOCK_WAIT_MS: '1000',
    }),
  );
});

afterEach(async () => {
  await Promise.all([postgres.heal(), redis.heal()]);
  await untilServing();
});

afterAll(() => opened.disposeAsync());

async function untilServing(): Promise<void> {
  await expect.poll(async () => (await fetch(`${replica.url}/readyz`)).status, { timeout: 15_000 }).toBe(200);
}

async function timed<T>(call: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  return { result: await call(), ms: performance.now() - start };
}

const faults = {
  refuses: (proxy: FaultProxy) => proxy.refuse(),
  'is silent': async (proxy: FaultProxy) => proxy.blackHole(),
};

describe.each(Object.entries(faults))('a Postgres that %s', (_, fault) => {
  test.each(['fenced-lock', 'atomic-update', 'row-lock', 'batched-lock'])(
    'makes %s say so in good time',
    async (name) => {
      const eventId = await house.newEvent(3);
      await fault(postgres);
      const { result, ms } = await timed(() => replica.book(`/book/${name}/${eventId}`));
      expect(result.instanceId).toBe('lonely');
      expect(result.body).toMatchObject({ code: expect.stringMatching(/^(unavailable|busy|unknown)$/) });
      // The longest of our limits (a query on a connection that went silent), and the look for a lost commit.
      expect(ms).toBeLessThan(9_500);
      await postgres.heal();
      await untilServing();
      expect((await replica.book(`/book/${name}/${eventId}`)).status).toBe(201);
    },
  );

  test('makes it not ready, and alive', async () => {
    await fault(postgres);
    const { result, ms } = await timed(() => fetch(`${replica.url}/readyz`));
    expect(result.status).toBe(503);
    expect(await result.text()).toContain('Postgres gives no answer');
    // Who asks for it has long given up where nothing bounds it.
    expect(ms).toBeLessThan(5_000);
    expect((await fetch(`${replica.url}/livez`)).status).toBe(200);
  });
});

test('with Postgres refusing, every route that needs it says 503 at once', async () => {
  await postgres.refuse();
  for (const [method, path] of [
    ['GET', '/events'],
    ['GET', '/events/1'],
    ['POST', '/reset/1'],
    ['GET', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d'],
    ['POST', '/book-no-lock/1'],
    ['POST', '/events/1/bookings'],
  ] as const) {
    const { result, ms } = await timed(() => fetch(`${replica.url}${path}`, { method }));
    const { status, headers } = result;
    const requestId = headers.get('x-request-id');
    const linesOf = () => replica.log.filter((line) => line['requestId'] === requestId);
    await expect.poll(linesOf).toMatchObject([
      {
        level: 40,
        instanceId: 'lonely',
        method,
        path,
        status: 503,
        err: { stack: expect.stringContaining('ECONNREFUSED') },
      },
    ]);
    const retryAfter = headers.get('retry-after');
    expect({ path, status, retryAfter }).toEqual({ path, status: 503, retryAfter: '2' });
    expect(ms).toBeLessThan(2_000);
  }
});

describe.each(Object.entries(faults))('a Redis that %s', (_, fault) => {
  test.each(['simple-lock', 'fenced-lock', 'batched-lock'])('makes %s say so in good time', async (name) => {
    const eventId = await house.newEvent(3);
    await fault(redis);
    const { result, ms } = await timed(() => replica.book(`/book/${name}/${eventId}`));
    expect(result).toMatchObject({
      status: 503,
      body: { code: expect.stringMatching(/^(unavailable|busy)$/) },
    });
    expect(ms).toBeLessThan(9_500);
    await redis.heal();
    await untilServing();
    expect((await replica.book(`/book/${name}/${eventId}`)).status).toBe(201);
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 1 });
  });

  test('is no matter to those who do not need it', async () => {
    const eventId = await house.newEvent(3);
    await fault(redis);
    expect((await replica.book(`/book/row-lock/${eventId}`)).status).toBe(201);
    expect((await fetch(`${replica.url}/events/${eventId}`)).status).toBe(200);
  });
});

test('that a server is out of reach, and that it is back, is one line each, however many connections hear of it', async () => {
  await using watched = await startReplica('watched', {
    DATABASE_URL: postgres.through(house.databaseUrl),
    REDIS_URL: redis.through(inject('redisUrl')),
    LOG_LEVEL: 'info',
  });
  const eventId = await house.newEvent(100);
  const book = (name: string) => watched.book(`/book/${name}/${eventId}`);
  const crowd = () => Promise.all(['row-lock', 'row-lock', 'atomic-update', 'fenced-lock'].map(book));
  await crowd();
  await Promise.all([postgres.refuse(), redis.refuse()]);
  for (let round = 0; round < 3; round += 1) {
    expect((await crowd()).map(({ status }) => status)).toEqual([503, 503, 503, 503]);
  }
  await Promise.all([postgres.heal(), redis.heal()]);
  const isReady = async () => (await fetch(`${watched.url}/readyz`)).status;
  await expect.poll(isReady, { timeout: 15_000 }).toBe(200);
  await crowd();

  const linesOf = (server: string) =>
    watched.log
      .map(({ msg }) => msg)
      .filter((msg) => msg.startsWith(server) && /is (out of reach|back)$/.test(msg));
  await expect.poll(() => linesOf('Postgres')).toEqual(['Postgres is out of reach', 'Postgres is back']);
  await expect.poll(() => linesOf('Redis')).toEqual(['Redis is out of reach', 'Redis is back']);
});

test('a replica that starts takes no request before it is connected', async () => {
  const eventId = await house.newEvent(1);
  redis.delay({ requestMs: 100, replyMs: 100 });
  await using slow = await startReplica('slow', {
    DATABASE_URL: house.databaseUrl,
    REDIS_URL: redis.through(inject('redisUrl')),
  });
  expect((await slow.book(`/book-with-lock/${eventId}`)).status).toBe(201);
});

test('a replica that starts before Postgres and Redis serves once they are there', async () => {
  await Promise.all([postgres.refuse(), redis.refuse()]);
  await using early = await startReplica('early', {
    DATABASE_URL: postgres.through(house.databaseUrl),
    REDIS_URL: redis.through(inject('redisUrl')),
  });
  expect((await fetch(`${early.url}/readyz`)).status).toBe(503);
  await Promise.all([postgres.heal(), redis.heal()]);
  await expect.poll(async () => (await fetch(`${early.url}/readyz`)).status, { timeout: 15_000 }).toBe(200);
  const eventId = await house.newEvent(1);
  expect((await early.book(`/book-with-lock/${eventId}`)).status).toBe(201);
});
