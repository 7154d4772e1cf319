import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { sweepHolds } from '#src/booking/hold-sweeper.ts';
import type { Context } from '#src/context.ts';
import { compareCountersWithRows } from '#src/storage/audit.ts';
import { endHolds } from '#src/storage/held-stock.ts';
import { confirmHold, extendHold } from '#src/storage/holds.ts';
import { autocommit } from '#src/storage/transaction.ts';

import { letHoldsAge } from '../support/clock.ts';
import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { createTestApp } from '../support/test-app.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/**
 * What booking systems are known to get wrong when two things happen at the same time, each as a scenario of its own.
 * Beside them stand dropped-answer.test.ts (a repeat after a lost answer), book-together.test.ts (two batches for one row
 * in one statement) and hold-storm.test.ts (replicas whose clocks and time zones differ).
 */

const opened = new AsyncDisposableStack();
let house: House;
let contexts: Context[];
let apis: Api[];

type Api = (method: string, path: string, body?: object) => Promise<{ status: number; body: Body }>;
type Body = Record<string, unknown>;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
  contexts = ['one', 'two', 'three'].map((name) =>
    opened.use(openTestContext({ ...env, INSTANCE_ID: name })),
  );
  await Promise.all(contexts.map(untilReady));
  apis = contexts.map((context, i) => {
    const app = createTestApp(context, { instanceId: `replica-${i}` });
    return async (method, path, body = {}) => {
      const response = await app.request(path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(method !== 'GET' && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Body };
    };
  });
});

afterAll(() => opened.disposeAsync());

afterEach(async () => {
  const { differences } = await compareCountersWithRows(house.db);
  if (differences.length > 0) throw new Error(`counters and rows differ: ${JSON.stringify(differences)}`);
});

const at = (i: number): Api => apis[i % apis.length] as Api;

async function hold(eventId: number, body: object = {}): Promise<string> {
  const answer = await at(0)('POST', `/events/${eventId}/holds`, { seconds: 60, ...body });
  expect(answer.status).toBe(201);
  return String(answer.body['bookingId']);
}

test('two confirms at once make one booking, and both are told of it', async () => {
  const eventId = await house.newEvent(20);
  for (let round = 0; round < 10; round += 1) {
    const id = await hold(eventId);
    const answers = await Promise.all([0, 1, 2].map((i) => at(i)('POST', `/holds/${id}/confirm`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  }
  expect(await house.event(eventId)).toMatchObject({ available: 10, held: 0, booked: 10 });
});

test('a confirmation that is committed after the end came, and was begun before, stands: the end finds nothing', async () => {
  const eventId = await house.newEvent(1);
  const id = await hold(eventId);
  const confirming = await house.db.startTransaction().execute();
  expect(await confirmHold(confirming, id)).toBe(true);
  const ending = (async () => {
    await letHoldsAge(house.db, eventId, 100);
    await endHolds(house.db, eventId);
  })();
  await untilSomebodyWaits(house.db);
  await confirming.commit().execute();
  await ending;
  expect(await house.event(eventId)).toMatchObject({ available: 0, held: 0, booked: 1 });
});

test('a confirmation that meets the end is too late: the tickets are somebody else’s', async () => {
  const eventId = await house.newEvent(1);
  const id = await hold(eventId);
  const ending = await house.db.startTransaction().execute();
  // What is done at the end of a hold, at a moment at which the confirmation still finds it standing.
  await sql`delete from held_stock where event_id = ${eventId}`.execute(ending);
  await sql`update inventory set available = 1 where event_id = ${eventId}`.execute(ending);
  const confirmed = autocommit(house.db, (db) => confirmHold(db, id));
  await untilSomebodyWaits(house.db);
  await ending.commit().execute();
  expect(await confirmed).toBe(false);
  expect(await at(1)('POST', `/holds/${id}/confirm`)).toMatchObject({ body: { code: 'hold_expired' } });
  expect((await at(2)('POST', `/events/${eventId}/bookings`)).status).toBe(201);
  expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 1, oversold: 0 });
});

describe.each(['a second in which nothing ends any more', 'a second in which nothing ended before'])(
  'an extension to %s',
  (second) => {
    test.each([
      { what: 'confirmation', method: 'POST', path: (id: string) => `/holds/${id}/confirm` },
      { what: 'extension', method: 'PATCH', path: (id: string) => `/holds/${id}`, body: { seconds: 200 } },
      { what: 'giving up', method: 'DELETE', path: (id: string) => `/holds/${id}` },
      { what: 'cancellation', method: 'DELETE', path: (id: string) => `/bookings/${id}` },
    ])('delays a $what that meets it, which then is done', async ({ method, path, body }) => {
      const eventId = await house.newEvent(1);
      const id = await hold(eventId);
      if (second.endsWith('any more')) {
        await sql`
          insert into held_stock (event_id, epoch, ends_at, quantity)
          select event_id, epoch, date_trunc('second', clock_timestamp()) + make_interval(secs => later), 0
          from inventory, generate_series(100, 160) as later where event_id = ${eventId}`.execute(house.db);
      }
      const extending = await house.db.startTransaction().execute();
      expect(await extendHold(extending, { bookingId: id, seconds: 100, maxS: 1_000 })).toBe('extended');
      const answer = at(1)(method, path(id), body);
      await untilSomebodyWaits(house.db);
      await extending.commit().execute();
      expect(await answer).toMatchObject({ status: 200 });
      expect((await compareCountersWithRows(house.db)).differences).toEqual([]);
    });
  },
);

test('confirmations, extensions, sweepers and buyers at the end of many holds', async () => {
  const eventId = await house.newEvent(12);
  const ids = await Promise.all(Array.from({ length: 12 }, () => hold(eventId, { seconds: 1 })));
  // Until the last of them has ended: around that moment all of this happens again and again.
  const isOver = async () => {
    const answers = await Promise.all(ids.map((id) => at(0)('GET', `/bookings/${id}`)));
    return answers.every(({ body }) => body['state'] !== 'held');
  };
  const settled = new Set<string>();
  const expired = new Set<string>();
  let sold = 0;
  do {
    await Promise.all([
      ...ids.map(async (id, i) => {
        if (Math.random() < 0.9) return;
        const { status, body } = await at(i)('POST', `/holds/${id}/confirm`);
        if (status === 200) settled.add(id);
        if (body['code'] === 'hold_expired') expired.add(id);
      }),
      ...contexts.map(({ db }) => sweepHolds(db)),
      ...[1, 2].map(async (i) => {
        if ((await at(i)('POST', `/events/${eventId}/bookings`)).status === 201) sold += 1;
      }),
    ]);
  } while (!(await isOver()));
  expect([...settled].filter((id) => expired.has(id))).toEqual([]);
  const { available, booked, held, oversold } = await house.event(eventId);
  expect({ booked, held, oversold, sum: available + booked }).toEqual({
    booked: settled.size + sold,
    held: 0,
    oversold: 0,
    sum: 12,
  });
});

test('50 cancellations of one booking free its tickets once', async () => {
  const eventId = await house.newEvent(9);
  await at(0)('POST', `/events/${eventId}/bookings`, { quantity: 4 });
  const { body } = await at(0)('POST', `/events/${eventId}/bookings`, { quantity: 2 });
  const path = `/bookings/${String(body['bookingId'])}`;
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => at(i)('DELETE', path)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 404)).toHaveLength(49);
  expect(await house.event(eventId)).toMatchObject({ available: 5, booked: 4 });
});

test('two orders of one buyer for the same stock, in one batch: together no more than there is', async () => {
  const eventId = await house.newEvent(3);
  const order = { customer: 'ada', quantity: 2 };
  const answers = await Promise.all(
    [0, 0, 1, 1].map((i) => at(i)('POST', `/events/${eventId}/bookings`, order)),
  );
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409]);
  expect(await house.event(eventId)).toMatchObject({ available: 1, booked: 2 });
});

test('the first holds of an event at the same time, through all replicas, are all counted', async () => {
  for (let round = 0; round < 10; round += 1) {
    const eventId = await house.newEvent(50);
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, i) => at(i)('POST', `/events/${eventId}/holds`, { quantity: 2 })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 201));
    expect(await house.event(eventId)).toMatchObject({ available: 32, held: 18 });
  }
});

test('an event that is made smaller while it sells and is held sells no more than it has', async () => {
  const eventId = await house.newEvent(200);
  const selling = new AbortController();
  const sell = async (i: number) => {
    while (!selling.signal.aborted) {
      const what = i % 2 === 0 ? 'holds' : 'bookings';
      const { status } = await at(i)('POST', `/events/${eventId}/${what}`, { quantity: 1 + (i % 3) });
      if (status === 409) return;
    }
  };
  const sellers = Array.from({ length: 12 }, (_, i) => sell(i));
  let capacity = 200;
  for (;;) {
    const { status } = await at(capacity)('PATCH', `/events/${eventId}`, { capacity: capacity - 10 });
    if (status !== 200) break;
    capacity -= 10;
  }
  await Promise.all(sellers);
  selling.abort();
  const event = await house.event(eventId);
  expect(event).toMatchObject({ capacity, oversold: 0 });
  expect(event.booked + event.held + event.available).toBe(capacity);
  // Every quantity has met a refusal, so that nothing of it is left.
  expect(event.available).toBe(0);
});
