import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { STRATEGY_NAMES } from '#src/contract.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { createTestApp } from '../support/test-app.ts';

/** A key names a booking: however often it is sent, and to whichever replica, it is made once and answered alike. */

const opened = new AsyncDisposableStack();
let house: House;
/** Two replicas' worth. */
let here: Api;
let there: Api;

interface Answer {
  status: number;
  isReplayed: boolean;
  body: Record<string, unknown>;
}

interface Api {
  book(path: string, key: string | undefined, body?: object): Promise<Answer>;
  cancel(bookingId: unknown): Promise<number>;
}

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  [here, there] = await Promise.all([openApi('here', quorum.urls), openApi('there', quorum.urls)]);
});

afterAll(() => opened.disposeAsync());

async function openApi(instanceId: string, quorumUrls: string): Promise<Api> {
  const context = opened.use(
    openTestContext({
      DATABASE_URL: house.databaseUrl,
      REDIS_URL: inject('redisUrl'),
      QUORUM_REDIS_URLS: quorumUrls,
      INSTANCE_ID: instanceId,
      IDEMPOTENCY_KEY_TTL_S: '3600',
    }),
  );
  await untilReady(context);
  const app = createTestApp(context, { instanceId });
  return {
    async book(path, key, body = { customer: 'ada' }) {
      const response = await app.request(path, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        body: JSON.stringify(body),
      });
      return {
        status: response.status,
        isReplayed: response.headers.get('idempotency-replayed') === 'true',
        body: (await response.json()) as Answer['body'],
      };
    },
    cancel: async (bookingId) =>
      (await app.request(`/bookings/${String(bookingId)}`, { method: 'DELETE' })).status,
  };
}

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('a repeat gets the first answer from any replica, also once it was cancelled and all is sold', async () => {
    const id = await house.newEvent(3);
    const path = `/book/${name}/${id}`;
    const order = { customer: 'ada', quantity: 2 };
    const first = await here.book(path, 'order 1', order);
    expect(first).toMatchObject({ status: 201, isReplayed: false });
    const repeated = { ...first, isReplayed: true };
    expect(await there.book(path, 'order 1', order)).toEqual(repeated);

    expect((await there.book(path, 'order 2', { customer: 'eve' })).status).toBe(201);
    expect(await there.book(path, 'order 1', order), 'sold out').toEqual(repeated);

    expect(await here.cancel(first.body['bookingId'])).toBe(200);
    expect(await there.book(path, 'order 1', order), 'cancelled').toEqual(repeated);
    expect(await house.event(id)).toMatchObject({ available: 2, booked: 1 });
  });

  test('the key of another customer or event is another key; with other content it is refused', async () => {
    const [id, other] = [await house.newEvent(9), await house.newEvent(9)];
    expect(await here.book(`/book/${name}/${id}`, 'same')).toMatchObject({ status: 201 });
    expect(await there.book(`/book/${name}/${id}`, 'same', { customer: 'ada', quantity: 2 })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    expect(await there.book(`/book/${name}/${id}`, 'same', { customer: 'eve' })).toMatchObject({
      status: 201,
      isReplayed: false,
    });
    expect(await there.book(`/book/${name}/${other}`, 'same')).toMatchObject({
      status: 201,
      isReplayed: false,
    });
    expect(await house.event(id)).toMatchObject({ booked: 2 });
  });

  test('sent many times at once, to both replicas, it books once, and all answers agree', async () => {
    const id = await house.newEvent(9);
    const path = `/book/${name}/${id}`;
    const send = async (api: Api) => {
      for (;;) {
        const answer = await api.book(path, 'crowd');
        if (answer.status !== 409 && answer.status !== 503) return answer;
      }
    };
    // Others beside it, so that the batches of both replicas hold more than the one.
    const others = Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? here : there).book(path, undefined));
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send(i % 2 === 0 ? here : there)));
    await Promise.all(others);
    expect(new Set(answers.map(({ body }) => body['bookingId'])).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(answers.filter(({ isReplayed }) => !isReplayed)).toHaveLength(1);
    const { rows } = await sql`
      select from bookings where event_id = ${id} and idempotency_key = 'crowd'`.execute(house.db);
    expect(rows).toHaveLength(1);
  });

  test('a refusal is not remembered, and a key that has had its time is good for another booking', async () => {
    const id = await house.newEvent(1);
    const path = `/book/${name}/${id}`;
    const { body: taken } = await here.book(path, undefined, { customer: 'eve' });
    expect(await here.book(path, 'again')).toMatchObject({ status: 409, body: { code: 'sold_out' } });
    await here.cancel(taken['bookingId']);
    const first = await there.book(path, 'again');
    expect(first).toMatchObject({ status: 201, isReplayed: false });
    await here.cancel(first.body['bookingId']);

    await age(id, 3_599);
    expect(await there.book(path, 'again')).toMatchObject({ body: first.body, isReplayed: true });
    await age(id, 3_601);
    const second = await there.book(path, 'again');
    expect(second).toMatchObject({ status: 201, isReplayed: false });
    expect(second.body['bookingId']).not.toBe(first.body['bookingId']);
    expect(await here.book(path, 'again')).toMatchObject({ body: second.body, isReplayed: true });
  });
});

/** As if the bookings of an event had been made so long ago. */
async function age(eventId: number, seconds: number): Promise<void> {
  await sql`
    update bookings set created_at = clock_timestamp() - ${seconds} * interval '1 second'
    where event_id = ${eventId}`.execute(house.db);
}

test('a booking without a key costs the index of the keys nothing', async () => {
  const size = async () => {
    const { rows } = await sql`select pg_relation_size('bookings_of_key') as size`.execute(house.db);
    return rows[0];
  };
  const before = await size();
  const id = await house.newEvent(500);
  await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      here.book(`/events/${id}/bookings`, undefined, { customer: 'x'.repeat(200 - (i % 7)) }),
    ),
  );
  expect(await size()).toEqual(before);
});
