import { once } from 'node:events';
import { request as httpRequest } from 'node:http';

import { createQueueLock, createSimpleLock } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { lockNameOf } from '#src/booking/strategy.ts';

import { openHouse, type House } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';

/** A client that really hangs up while its request waits for the lock. */

const opened = new AsyncDisposableStack();
let house: House;
let redis: Redis;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
});

afterAll(() => opened.disposeAsync());

test.each([
  ['simple-lock', createSimpleLock],
  ['fenced-lock', createQueueLock],
  ['batched-lock', createQueueLock],
] as const)('%s books nothing for it', async (name, createLock) => {
  const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
  await using replica = await startReplica(`hung-up-${name}`, env);
  await using locks = createLock(redis);
  const eventId = await house.newEvent(5);
  const lease = await locks.acquire(lockNameOf(eventId));

  const request = httpRequest(`${replica.url}/book/${name}/${eventId}`, { method: 'POST', agent: false });
  request.on('error', () => {}); // What hanging up does to it.
  request.end();
  const [socket] = (await once(request, 'socket')) as [NodeJS.EventEmitter];
  await once(socket, 'connect');
  // What the replica answers later, it has read later: by now it has the request, and then knows that it is over.
  await hearFrom(replica.url);
  request.destroy();
  await hearFrom(replica.url);

  await lease.release();
  const staying = await replica.book(`/book/${name}/${eventId}`);
  expect(staying.status).toBe(201);
  // It exits once nothing is under way any more, so that nothing can be booked after the look.
  replica.kill('SIGTERM');
  expect(await replica.exited).toBe(0);
  expect(await house.rowsOf(eventId)).toMatchObject([{ id: staying.body.bookingId }]);
  expect(await house.event(eventId)).toMatchObject({ available: 4, booked: 1 });
});

async function hearFrom(url: string): Promise<void> {
  for (let i = 0; i < 3; i += 1) await (await fetch(`${url}/livez`)).text();
}
