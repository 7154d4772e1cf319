import { setTimeout as sleep } from 'node:timers/promises';

import { startFaultProxy } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { STRATEGY_NAMES, type Guarantee, type StrategyName, type StrategyView } from '#src/contract.ts';

import { openHouse, type House } from '../support/house.ts';
import { lastStatementOf } from '../support/last-statement.ts';
import { startQuorum } from '../support/quorum.ts';
import { startReplica, type Answer, type Replica } from '../support/replica.ts';

/** Several replicas as processes of their own, and what each strategy promises when they all sell the same seats. */

const opened = new AsyncDisposableStack();
let house: House;
let replicas: Replica[];
let env: Parameters<typeof startReplica>[1];
const guarantees = new Map<string, Guarantee>();

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  env = {
    DATABASE_URL: house.databaseUrl,
    REDIS_URL: inject('redisUrl'),
    QUORUM_REDIS_URLS: quorum.urls,
  };
  replicas = await Promise.all(['a', 'b', 'c'].map((id) => startReplica(id, env)));
  for (const replica of replicas) opened.use(replica);
  const response = await fetch(`${replicas[0]!.url}/strategies`);
  for (const { name, guarantee } of (await response.json()) as StrategyView[])
    guarantees.set(name, guarantee);
});

afterAll(() => opened.disposeAsync());

/** A buyer as polite as they come: told "busy", they come back, until they know. */
async function buy(
  replica: Replica,
  name: StrategyName,
  eventId: number,
  quantity: number,
  raceWindowMs: number,
) {
  for (;;) {
    const answer = await replica.book(`/book/${name}/${eventId}`, { body: { quantity }, raceWindowMs });
    if (answer.status !== 503) return { ...answer, quantity };
    await sleep(10 + 40 * Math.random());
  }
}

function bookedIds(answers: Answer[]): string[] {
  return answers.flatMap(({ body }) =>
    'bookingId' in body && body.bookingId !== undefined ? [body.bookingId] : [],
  );
}

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('a crowd gets what the guarantee promises', async () => {
    const capacity = 12;
    const eventId = await house.newEvent(capacity);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => buy(replicas[i % 3]!, name, eventId, 1, 10)),
    );
    const confirmed = answers.filter(({ status }) => status === 201);
    const event = await house.event(eventId);
    const rows = await house.rowsOf(eventId);

    expect(bookedIds(confirmed).toSorted(), 'each 201 has its row and each row its 201').toEqual(
      rows.map(({ id }) => id),
    );
    if (guarantees.get(name) === 'none') {
      expect(event.oversold).toBeGreaterThan(0);
      return;
    }
    expect(confirmed, 'nothing is left unsold').toHaveLength(capacity);
    expect(event).toMatchObject({ available: 0, booked: capacity, oversold: 0 });
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(60 - capacity);
  });

  test('whoever is refused did not fit', async ({ skip }) => {
    skip(name === 'no-lock', 'without a lock nobody knows what fits');
    const eventId = await house.newEvent(40);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => buy(replicas[i % 3]!, name, eventId, 1 + (i % 5), 0)),
    );
    const { available, booked } = await house.event(eventId);
    const sold = answers
      .filter(({ status }) => status === 201)
      .reduce((sum, { quantity }) => sum + quantity, 0);
    expect(sold).toBe(booked);
    expect(booked + available).toBe(40);
    const refused = answers.filter(({ status }) => status === 409).map(({ quantity }) => quantity);
    expect(refused.length).toBeGreaterThan(0);
    expect(Math.min(...refused)).toBeGreaterThan(available);
  });
});

describe('a holder that is stopped past its lease, and wakes between its read and its write,', () => {
  test('books a seat that is gone, under the textbook lock', async () => {
    expect(await bookLate('simple-lock', 1)).toMatchObject({ first: 201, late: 201, booked: 2 });
  });

  test.each(['fenced-lock', 'quorum-lock'] as const)(
    'is refused under %s, and books nothing where nothing is left',
    async (name) => {
      const { first, late, booked } = await bookLate(name, 1);
      expect({ first, booked }).toEqual({ first: 201, booked: 1 });
      // Stopped for so long that there was no time for a new lease, it tells its buyer to come back.
      expect(late).toBeOneOf([409, 503]);
    },
  );

  // There is a seat left: what refused the late write is the lost lease or the newer token, each enough by itself.
  test.each(['fenced-lock', 'quorum-lock'] as const)(
    'is refused under %s, and books under a newer token',
    async (name) => {
      const { tokens, ...statuses } = await bookLate(name, 2);
      expect(statuses).toEqual({ first: 201, late: 201, booked: 2 });
      expect(tokens.late).toBeGreaterThan(tokens.first);
    },
  );

  test('is refused by its fencing token under batched-lock, its batch being on its way to Postgres', async () => {
    const { tokens, ...statuses } = await bookLateBatch();
    expect(statuses).toEqual({ first: 201, late: 201, booked: 2 });
    expect(tokens.late).toBeGreaterThan(tokens.first);
  });
});

async function bookLate(name: StrategyName, capacity: number) {
  const instanceId = `stopped-${name}`;
  // Long enough for a busy machine to find it between its read and its write; and short, so that it has time left to
  // wait for the lock once more when it goes on.
  await using stopped = await startReplica(instanceId, { ...env, LOCK_TTL_MS: '1000' });
  const eventId = await house.newEvent(capacity);
  const answer = stopped.book(`/book/${name}/${eventId}`, { raceWindowMs: 800 });
  answer.catch(() => {}); // If the test fails before it is awaited, the replica goes and takes it along.
  await expect
    .poll(() => lastStatementOf(house.db, instanceId), { interval: 5 })
    .toContain('select "available"');
  stopped.kill('SIGSTOP');
  const first = await buy(replicas[0]!, name, eventId, 1, 0);
  stopped.kill('SIGCONT');
  return await endOf(eventId, first, await answer);
}

/**
 * A batch decides in its statement, so that no moment between read and write is left to be stopped in. Instead the
 * statement is held up on its way, and arrives when the next holder has booked.
 */
async function bookLateBatch() {
  const instanceId = 'stopped-batch';
  await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
  await using stopped = await startReplica(instanceId, {
    ...env,
    DATABASE_URL: proxy.through(house.databaseUrl),
    LOCK_TTL_MS: '500',
  });
  const eventId = await house.newEvent(2);
  await using redis = new AsyncDisposableStack();
  const client = redis.adopt(new Redis(inject('redisUrl')), async (client) => client.disconnect());
  const path = `/book/batched-lock/${eventId}`;
  const lockKeys = () => client.keys(`*event:${eventId}}`);
  // Leaves a connection for the batch and knows of the event, so that nothing but the batch is held up.
  await stopped.book(path, { body: { quantity: 3 } });
  await expect.poll(lockKeys, { interval: 5 }).toEqual([]);
  const before = await lastStatementOf(house.db, instanceId);
  proxy.blackHole();
  const answer = stopped.book(path);
  answer.catch(() => {}); // As above.
  await expect.poll(lockKeys, { interval: 5 }).not.toEqual([]);
  // By the time that it answers this, it has heard that it holds the lock, and has sent the batch.
  for (let i = 0; i < 3; i += 1) await (await fetch(`${stopped.url}/livez`)).text();
  stopped.kill('SIGSTOP');
  const first = await buy(replicas[0]!, 'batched-lock', eventId, 1, 0);
  await proxy.heal();
  await expect.poll(() => lastStatementOf(house.db, instanceId), { interval: 5 }).not.toBe(before);
  expect((await house.event(eventId)).booked, 'the late batch was refused').toBe(1);
  stopped.kill('SIGCONT');
  return await endOf(eventId, first, await answer);
}

async function endOf(eventId: number, first: Answer, late: Answer) {
  const { booked } = await house.event(eventId);
  return {
    first: first.status,
    late: late.status,
    booked,
    tokens: { first: tokenOf(first), late: tokenOf(late) },
  };
}

function tokenOf({ body }: Answer): number {
  return 'fencingToken' in body ? (body.fencingToken ?? Number.NaN) : Number.NaN;
}
