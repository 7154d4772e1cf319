import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { BookingView } from '#src/contract.ts';
import type { Operator } from '#src/operators.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

/** Lists and exports of bookings, on a real database. */

const opened = new AsyncDisposableStack();
let house: House;
let lab: TestApp;
let service: TestApp;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const context: Context = opened.use(
    openTestContext({ DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') }),
  );
  await untilReady(context);
  const operators: Operator[] = [
    { name: 'ada', token: 'a-token-of-some-length', scopes: ['bookings:read'] },
    { name: 'bob', token: 'another-token-of-some', scopes: ['bookings:write'] },
  ];
  lab = createTestApp(context, { operators });
  service = createTestApp(context, { operators, labMode: false });
});

afterAll(() => opened.disposeAsync());

async function book(eventId: number, customer: string): Promise<string> {
  const response = await lab.request(`/events/${eventId}/bookings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ customer }),
  });
  return ((await response.json()) as BookingView).bookingId;
}

async function listed(path: string): Promise<{ page: BookingView[]; next: string | undefined }> {
  const response = await lab.request(path);
  expect(response.status).toBe(200);
  const [, next] = /<(.+)>; rel="next"/.exec(response.headers.get('link') ?? '') ?? [];
  return { page: (await response.json()) as BookingView[], next };
}

async function allPages(path: string): Promise<BookingView[]> {
  const all: BookingView[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const { page, next: following }: Awaited<ReturnType<typeof listed>> = await listed(next);
    all.push(...page);
    next = following;
  }
  return all;
}

test('pages hold every booking of an event once, and of no other', async () => {
  const [id, other] = [await house.newEvent(100), await house.newEvent(100)];
  const ids = [];
  for (let i = 0; i < 7; i += 1) {
    ids.push(await book(id, `ada ${i % 2}`));
    await book(other, 'ada 0');
  }
  const all = await allPages(`/events/${id}/bookings?limit=3`);
  expect(all.map(({ bookingId }) => bookingId)).toEqual(ids);
  const adas = await allPages(`/events/${id}/bookings?limit=2&customer=ada+1`);
  expect(adas.map(({ bookingId }) => bookingId)).toEqual(ids.filter((_, i) => i % 2 === 1));
});

test('the bookings of a customer are those of all events, and of nobody else', async () => {
  const customer = 'Grace & "Hopper"';
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.push(await book(await house.newEvent(1), customer));
  await book(await house.newEvent(1), `${customer}.`);
  const path = `/bookings?limit=2&${new URLSearchParams({ customer }).toString()}`;
  expect((await allPages(path)).map(({ bookingId }) => bookingId)).toEqual(ids);
  expect((await lab.request('/bookings')).status).toBe(400);
});

test('a filter by state follows what becomes of a booking, and a reset leaves nothing', async () => {
  const id = await house.newEvent(10);
  const [kept, cancelled] = [await book(id, 'ada'), await book(id, 'ada')];
  await lab.request(`/bookings/${cancelled}`, { method: 'DELETE' });
  const held = await lab.request(`/events/${id}/holds`, { method: 'POST' });
  expect(held.status).toBe(201);
  const { bookingId: hold } = (await held.json()) as BookingView;
  const inState = async (state: string) =>
    (await listed(`/events/${id}/bookings?state=${state}`)).page.map(({ bookingId }) => bookingId);
  expect(await inState('confirmed')).toEqual([kept]);
  expect(await inState('cancelled')).toEqual([cancelled]);
  expect(await inState('held')).toEqual([hold]);
  expect(await inState('expired')).toEqual([]);
  await sql`update bookings set expires_at = now() where id = ${hold}`.execute(house.db);
  expect(await inState('expired')).toEqual([hold]);
  expect((await lab.request(`/events/${id}/bookings?state=lost`)).status).toBe(400);
  // A reset whose sweep has not come to the rows yet; what was cancelled long ago counts as cancelled.
  await sql`update bookings set epoch = 0 where id = ${cancelled}`.execute(house.db);
  await sql`update inventory set epoch = epoch + 1 where event_id = ${id}`.execute(house.db);
  expect((await listed(`/events/${id}/bookings`)).page).toMatchObject([
    { bookingId: cancelled, state: 'cancelled' },
  ]);
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('lists and exports are for operators who may read', async () => {
  const id = await house.newEvent(1);
  await book(id, 'Grace');
  for (const path of [`/events/${id}/bookings`, '/bookings?customer=Grace', `/events/${id}/export`]) {
    const asked = async (headers: Record<string, string>) => {
      const response = await service.request(path, { headers });
      return [response.status, (await response.text()).includes('Grace')];
    };
    expect(await asked({})).toEqual([401, false]);
    expect(await asked(bearer('another-token-of-some'))).toEqual([403, false]);
    expect(await asked(bearer('a-token-of-some-length'))).toEqual([200, true]);
  }
});

test('an event that does not exist has no list and no export', async () => {
  expect((await lab.request('/events/2147483647/bookings')).status).toBe(404);
  expect((await lab.request('/events/2147483647/export')).status).toBe(404);
});

test('of many bookings a page is found by an index, and an export has all of them in order', async () => {
  const rows = 30_000;
  const id = await house.newEvent(rows);
  await sql`
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
    select gen_random_uuid(), ${id}, 1, 1, 'buyer ' || n % 1000, 'batched-update', 'test' from generate_series(1, ${rows}) n
  `.execute(house.db);
  await sql`analyze bookings`.execute(house.db);

  for (const [condition, index] of [
    [sql`event_id = ${id} and id > '00000000-0000-0000-0000-000000000000'`, 'bookings_by_event'],
    [sql`customer = 'buyer 7'`, 'bookings_of_customer'],
    [sql`event_id = ${id} and (state <> 'confirmed' or epoch = 0)`, 'bookings_not_confirmed'],
  ] as const) {
    const { rows: plan } = await sql<{ 'QUERY PLAN': string }>`
      explain select id from bookings where ${condition} order by id limit 100`.execute(house.db);
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain(index);
  }

  const exported = await lab.request(`/events/${id}/export`);
  expect(exported.headers.get('content-type')).toBe('application/x-ndjson');
  const ids = (await exported.text())
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as BookingView).bookingId);
  expect(ids).toHaveLength(rows);
  expect(ids).toEqual([...new Set(ids)].toSorted());
  const table = await (await lab.request(`/events/${id}/export?format=csv`)).text();
  expect(table.trim().split('\r\n')).toHaveLength(rows + 1);
});
