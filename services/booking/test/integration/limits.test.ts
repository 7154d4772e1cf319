import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { sweepHolds } from '#src/booking/hold-sweeper.ts';
import { ANONYMOUS, STRATEGY_NAMES } from '#src/contract.ts';
import { compareCountersWithRows } from '#src/storage/audit.ts';
import { ticketsOfCustomers } from '#src/storage/customer-tickets.ts';
import { lockStock } from '#src/storage/inventory.ts';
import type { Db } from '#src/storage/schema.ts';
import { allowIdle } from '#src/storage/transaction.ts';

import { letHoldsAge } from '../support/clock.ts';
import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** When an event is on sale, and how many tickets it sells at once and to one customer, by several replicas. */

const opened = new AsyncDisposableStack();
let house: House;
let apps: TestApp[];

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  apps = await Promise.all(
    ['a', 'b', 'c'].map(async (instanceId) => {
      const context = opened.use(
        openTestContext({
          DATABASE_URL: house.databaseUrl,
          REDIS_URL: inject('redisUrl'),
          QUORUM_REDIS_URLS: quorum.urls,
          INSTANCE_ID: instanceId,
        }),
      );
      await untilReady(context);
      return createTestApp(context, { instanceId });
    }),
  );
});

afterAll(() => opened.disposeAsync());

afterEach(async () => {
  const { differences } = await compareCountersWithRows(house.db);
  if (differences.length > 0) throw new Error(`counters and rows differ: ${JSON.stringify(differences)}`);
});

interface Answer {
  status: number;
  isReplayed: boolean;
  body: Record<string, unknown>;
}

interface Asked {
  headers?: Record<string, string>;
  /** Which replica is asked. */
  app?: number;
}

async function ask(
  method: string,
  path: string,
  body?: object,
  { headers = {}, app = 0 }: Asked = {},
): Promise<Answer> {
  const response = await apps[app % apps.length]!.request(path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    isReplayed: response.headers.get('idempotency-replayed') === 'true',
    body: (await response.json()) as Answer['body'],
  };
}

async function newEvent(terms: object, capacity = 100): Promise<number> {
  const { status, body } = await ask('POST', '/events', { name: 'Limited', capacity, ...terms });
  expect(status).toBe(201);
  return Number(body['id']);
}

/** Told "busy", a buyer comes back until he knows. */
async function buy(path: string, body: object, asked: Asked = {}): Promise<Answer> {
  for (;;) {
    const answer = await ask('POST', path, body, asked);
    if (answer.status !== 503) return answer;
    await sleep(10 + 40 * Math.random());
  }
}

const hold = (eventId: number, body: object, asked?: Asked) =>
  buy(`/events/${eventId}/holds`, { seconds: 60, ...body }, asked);
const book = (eventId: number, body: object, asked?: Asked) =>
  buy(`/events/${eventId}/bookings`, body, asked);

const idOf = ({ body }: Answer) => String(body['bookingId']);

async function ticketsOf(eventId: number, customer: string): Promise<number> {
  const { rows } = await sql<{ tickets: number }>`
    select coalesce(sum(quantity), 0) as tickets from bookings
    where event_id = ${eventId} and customer = ${customer} and state in ('held', 'confirmed')`.execute(
    house.db,
  );
  return rows[0]?.tickets ?? 0;
}

const notOnSale = { status: 409, body: { code: 'not_on_sale' } };
const nothingLeft = { status: 409, body: { code: 'limit_reached', allowanceLeft: 0 } };

const exact = STRATEGY_NAMES.filter((name) => name !== 'no-lock');

describe.each(exact)('%s', (name) => {
  test('sells a customer what he may have, whatever he asks for at once', async () => {
    const eventId = await newEvent({ maxPerCustomer: 4 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, app) => buy(`/book/${name}/${eventId}`, { customer: 'ada' }, { app })),
    );
    const booked = answers.filter(({ status }) => status === 201);
    expect(booked.map(({ body }) => Number(body['allowanceLeft'])).toSorted((a, b) => a - b)).toEqual([
      0, 1, 2, 3,
    ]);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused).toMatchObject(Array.from({ length: 16 }, () => nothingLeft));
    expect(await ticketsOf(eventId, 'ada')).toBe(4);
    expect(await house.event(eventId)).toMatchObject({ available: 96, booked: 4 });
    expect(await buy(`/book/${name}/${eventId}`, { customer: 'eve', quantity: 3 })).toMatchObject({
      status: 201,
      body: { allowanceLeft: 1 },
    });
  });

  test('sells nothing to whoever waits for the row while the sale is closed', async () => {
    const eventId = await newEvent({});
    const operator = await house.db.startTransaction().execute();
    await allowIdle(operator, 60_000);
    await lockStock(operator, eventId);
    const waiting = ask('POST', `/book/${name}/${eventId}`);
    await untilSomebodyWaits(house.db);
    await sql`update inventory set sales_close_at = clock_timestamp() where event_id = ${eventId}`.execute(
      operator,
    );
    await operator.commit().execute();
    expect(await waiting).toMatchObject(notOnSale);
    expect(await house.event(eventId)).toMatchObject({ available: 100, booked: 0 });
  });
});

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('sells from the opening on and up to the closing, and says so before it says sold out', async () => {
    const eventId = await newEvent({ salesOpenAt: '2999-01-01T00:00:00+01:00' }, 2);
    const path = `/book/${name}/${eventId}`;
    const opens = { salesOpenAt: '2998-12-31T23:00:00.000Z' };
    expect(await buy(path, {})).toMatchObject({ status: 409, body: { code: 'not_on_sale', ...opens } });
    expect(await buy(path, { quantity: 3 })).toMatchObject({ body: { code: 'not_on_sale', ...opens } });
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 0 });

    await setTerm(eventId, 'sales_open_at', sql`clock_timestamp()`);
    const key = { headers: { 'idempotency-key': 'order 1' } };
    const first = await buy(path, { customer: 'ada' }, key);
    expect(first.status).toBe(201);

    await setTerm(eventId, 'sales_close_at', sql`clock_timestamp()`);
    for (const quantity of [1, 3]) expect(await buy(path, { quantity })).toMatchObject(notOnSale);
    expect((await buy(path, {})).body['salesCloseAt']).toBeTypeOf('string');
    expect(await buy(path, { customer: 'ada' }, { ...key, app: 1 })).toEqual({ ...first, isReplayed: true });
    expect(await house.event(eventId)).toMatchObject({ available: 1, booked: 1 });
  });
});

async function setTerm(eventId: number, term: string, value: ReturnType<typeof sql>): Promise<void> {
  await sql`update inventory set ${sql.id(term)} = ${value} where event_id = ${eventId}`.execute(house.db);
}

test('holds and bookings of a customer count together, through whichever replicas', async () => {
  const eventId = await newEvent({ maxPerCustomer: 6 });
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, app) =>
      (app % 2 === 0 ? hold : book)(eventId, { customer: app < 16 ? 'ada' : 'eve', quantity: 2 }, { app }),
    ),
  );
  expect(await ticketsOf(eventId, 'ada')).toBe(6);
  expect(await ticketsOf(eventId, 'eve')).toBe(6);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(6);
});

test('what is cancelled, given up or has ended counts no more', async () => {
  const eventId = await newEvent({ maxPerCustomer: 2 });
  const ada = { customer: 'ada', quantity: 2 };
  const first = await book(eventId, ada);
  expect(await book(eventId, ada)).toMatchObject(nothingLeft);
  await ask('DELETE', `/bookings/${idOf(first)}`, undefined, { app: 1 });

  const second = await hold(eventId, ada);
  expect(second).toMatchObject({ status: 201, body: { allowanceLeft: 0 } });
  expect(await book(eventId, ada)).toMatchObject(nothingLeft);
  await ask('DELETE', `/holds/${idOf(second)}`);

  expect((await hold(eventId, ada)).status).toBe(201);
  await letHoldsAge(house.db, eventId, 62);
  const one = await book(eventId, { customer: 'ada' });
  expect(one, 'nobody has tidied up').toMatchObject({ status: 201, body: { allowanceLeft: 1 } });

  expect((await hold(eventId, { customer: 'ada' })).status).toBe(201);
  await letHoldsAge(house.db, eventId, 62);
  await sweepHolds(house.db);
  expect(await book(eventId, { customer: 'ada' })).toMatchObject({ status: 201, body: { allowanceLeft: 0 } });
});

test('a confirmed hold counts on, and one that ends while it is confirmed counts until that is decided', async () => {
  const eventId = await newEvent({ maxPerCustomer: 2 });
  const ada = { customer: 'ada', quantity: 2 };
  const held = await hold(eventId, ada);
  await letHoldsAge(house.db, eventId, 62);
  // As a confirmation that has looked at the clock before.
  const confirmation = await house.db.startTransaction().execute();
  await allowIdle(confirmation, 60_000);
  await sql`update bookings set state = 'confirmed' where id = ${idOf(held)}`.execute(confirmation);
  await sql`update held_stock set quantity = quantity - 2 where event_id = ${eventId}`.execute(confirmation);
  const next = book(eventId, { customer: 'ada' });
  await untilSomebodyWaits(house.db);
  await confirmation.commit().execute();
  expect(await next).toMatchObject(nothingLeft);
  expect(await ticketsOf(eventId, 'ada')).toBe(2);
});

test('a late payment is honoured within the limit', async () => {
  const eventId = await newEvent({ maxPerCustomer: 2, honoursLatePayment: true });
  const ada = { customer: 'ada', quantity: 2 };
  const late = await hold(eventId, ada);
  await letHoldsAge(house.db, eventId, 62);
  const other = await book(eventId, ada);
  const confirm = () => ask('POST', `/holds/${idOf(late)}/confirm`, undefined, { app: 1 });
  expect(await confirm()).toMatchObject({ status: 409, body: { code: 'hold_expired' } });
  await ask('DELETE', `/bookings/${idOf(other)}`);
  expect(await confirm()).toMatchObject({ status: 200, body: { state: 'confirmed' } });
});

test('what is held when the sale closes is confirmed and extended all the same', async () => {
  const eventId = await newEvent({});
  const held = await hold(eventId, { customer: 'ada' });
  await setTerm(eventId, 'sales_close_at', sql`clock_timestamp()`);
  expect((await ask('PATCH', `/holds/${idOf(held)}`, { seconds: 120 })).status).toBe(200);
  expect((await ask('POST', `/holds/${idOf(held)}/confirm`)).status).toBe(200);
  expect(await hold(eventId, { customer: 'ada' })).toMatchObject(notOnSale);
});

test('a repeat gets the first answer, allowance and all, once the limit is reached', async () => {
  const eventId = await newEvent({ maxPerCustomer: 3 });
  const key = { headers: { 'idempotency-key': 'order 1' } };
  const ada = { customer: 'ada', quantity: 2 };
  const first = await hold(eventId, ada, key);
  expect(first.body).toMatchObject({ allowanceLeft: 1 });
  await book(eventId, { customer: 'ada' });
  expect(await hold(eventId, ada, { ...key, app: 1 })).toEqual({ ...first, isReplayed: true });
  expect(
    await book(eventId, { customer: 'ada' }, { headers: { 'idempotency-key': 'order 2' } }),
  ).toMatchObject(nothingLeft);
  await ask('DELETE', `/bookings/${idOf(first)}`);
  expect(await hold(eventId, ada, { ...key, app: 2 }), 'cancelled').toEqual({ ...first, isReplayed: true });
  expect(await ticketsOf(eventId, 'ada')).toBe(1);
});

test.each(exact)('%s sells as many at once as the event says, and only to who has a name', async (name) => {
  const eventId = await newEvent({ maxPerBooking: 2, maxPerCustomer: 9 });
  const path = `/book/${name}/${eventId}`;
  expect(await buy(path, { customer: 'ada', quantity: 3 })).toMatchObject({
    status: 409,
    body: { code: 'limit_reached', maxPerBooking: 2 },
  });
  for (const body of [{}, { customer: ANONYMOUS }])
    expect(await buy(path, body)).toMatchObject({ status: 422, body: { code: 'customer_required' } });
  expect(await buy(path, { customer: 'ada', quantity: 2 })).toMatchObject({
    status: 201,
    body: { allowanceLeft: 7 },
  });
  await ask('PATCH', `/events/${eventId}`, { maxPerCustomer: null });
  expect((await buy(path, {})).body).not.toHaveProperty('allowanceLeft');
});

test('in a batch each has his own answer, in the order of arrival', async () => {
  const eventId = await newEvent({ maxPerBooking: 3, maxPerCustomer: 3 }, 5);
  const bodies = [
    { customer: 'ada', quantity: 2 },
    { customer: 'ada', quantity: 2 },
    { customer: 'eve', quantity: 4 },
    { customer: 'eve', quantity: 3 },
    { customer: 'ada' },
  ];
  const answers = await Promise.all(bodies.map((body) => book(eventId, body)));
  expect(answers.map(({ body }) => body['code'] ?? body['allowanceLeft'])).toEqual([
    1,
    'limit_reached',
    'limit_reached',
    0,
    'sold_out',
  ]);
});

test('a batch of which one has had enough is booked without him, once it is known that there is a limit', async () => {
  const eventId = await newEvent({ maxPerCustomer: 2 });
  const batch = async () => {
    const customers = ['ada', 'eve', 'ada', 'ada'];
    const answers = await Promise.all(customers.map((customer) => book(eventId, { customer })));
    return answers.map(({ body }) => body['code'] ?? body['allowanceLeft']);
  };
  expect(await batch()).toEqual([1, 1, 0, 'limit_reached']);
  expect(await batch()).toEqual(['limit_reached', 0, 'limit_reached', 'limit_reached']);
  expect(await batch()).toEqual(Array.from({ length: 4 }, () => 'limit_reached'));
  expect(await ticketsOf(eventId, 'ada')).toBe(2);
});

test('an event shows its limits, which are changed like anything of it', async () => {
  const limits = {
    maxPerBooking: 4,
    maxPerCustomer: 8,
    salesOpenAt: '2000-01-01T00:00:00.000Z',
    honoursLatePayment: true,
  };
  const eventId = await newEvent({ ...limits, salesOpenAt: '2000-01-01T05:45:00+05:45' });
  const path = `/events/${eventId}`;
  expect((await ask('GET', path)).body).toMatchObject(limits);
  const all = (await ask('GET', `/events?after=${eventId - 1}`)).body as unknown as object[];
  expect(all[0]).toMatchObject(limits);

  const changed = await ask('PATCH', path, { maxPerBooking: null, salesCloseAt: '2999-01-01T00:00:00Z' });
  expect(changed).toMatchObject({ status: 200, body: { salesCloseAt: '2999-01-01T00:00:00.000Z' } });
  expect(changed.body).not.toHaveProperty('maxPerBooking');
  const reset = await ask('POST', `/reset/${eventId}?tickets=7`);
  expect(reset.body).toEqual({ ...changed.body, capacity: 7, available: 7 });

  const early = { salesCloseAt: '1999-01-01T00:00:00Z' };
  for (const wrong of [
    await ask('PATCH', path, early),
    await ask('POST', '/events', {
      name: 'Never',
      capacity: 1,
      salesOpenAt: '2000-01-01T00:00:00Z',
      ...early,
    }),
    await ask('PATCH', path, { salesCloseAt: 'tomorrow' }),
    await ask('PATCH', path, { salesCloseAt: '2000-01-01T00:00:00' }),
    await ask('PATCH', path, { maxPerCustomer: 0 }),
  ])
    expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
  expect((await ask('GET', path)).body).toEqual(reset.body);
});

test('a limit counts what was sold before there was one, and may be below what somebody has', async () => {
  const eventId = await newEvent({});
  await book(eventId, { customer: 'ada', quantity: 3 });
  await ask('PATCH', `/events/${eventId}`, { maxPerCustomer: 2 });
  expect(await book(eventId, { customer: 'ada' }, { app: 1 })).toMatchObject(nothingLeft);
  await ask('PATCH', `/events/${eventId}`, { maxPerCustomer: 4 });
  expect(await book(eventId, { customer: 'ada' }, { app: 2 })).toMatchObject({
    status: 201,
    body: { allowanceLeft: 0 },
  });
});

test('what a customer has is found by its index, and what counts no more is not in the way', async () => {
  const eventId = await newEvent({});
  await sql`
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, state)
    select gen_random_uuid(), ${eventId}, 1, 1, 'ada', 'old', 'old', 'cancelled' from generate_series(1, 5000)`.execute(
    house.db,
  );
  await sql`analyze bookings`.execute(house.db);
  expect(await planOfCounting(house.db, eventId)).toContain('bookings_of_customers');
});

test('so it is on a table that Postgres has not looked at yet, without a look at what others have', async () => {
  await house.db.connection().execute(async (db) => {
    // Nothing looks at temporary tables by itself.
    await sql`create temporary table bookings (like public.bookings including all)`.execute(db);
    await sql`
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
      select gen_random_uuid(), 1, 1, 1, 'buyer ' || n, 'new', 'new' from generate_series(1, 2000) n`.execute(
      db,
    );
    expect(await planOfCounting(db, 1)).toMatch(
      /Index Cond: .*event_id \+ 0.* AND .*customer = asked\.customer/,
    );
    await sql`drop table pg_temp.bookings`.execute(db);
  });
});

async function planOfCounting(db: Db, eventId: number): Promise<string> {
  const { rows } = await sql<{ 'QUERY PLAN': string }>`
    explain ${ticketsOfCustomers({ eventId, epoch: 1, customers: ['ada'] })}`.execute(db);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}
