import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

import { sweepHolds } from '#src/booking/hold-sweeper.ts';
import type { Context } from '#src/context.ts';
import { MAX_HOLD_TOTAL_S, STRATEGY_NAMES } from '#src/contract.ts';
import { compareCountersWithRows } from '#src/storage/audit.ts';
import { beginEpoch, createEvent } from '#src/storage/events.ts';
import { endHolds, markExpired } from '#src/storage/held-stock.ts';
import { lockStock } from '#src/storage/inventory.ts';
import { allowIdle } from '#src/storage/transaction.ts';

import { letHoldsAge } from '../support/clock.ts';
import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { createTestApp } from '../support/test-app.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** Tickets that are held for some time: confirmed, extended, given up, or free again by themselves. */

const opened = new AsyncDisposableStack();
let house: House;
let context: Context;
/** Two replicas' worth. */
let here: Api;
let there: Api;

interface Answer {
  status: number;
  isReplayed: boolean;
  body: Record<string, unknown>;
}

type Api = (method: string, path: string, body?: object, key?: string) => Promise<Answer>;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  [here, there] = await Promise.all([openApi('here', quorum.urls), openApi('there', quorum.urls)]);
});

afterAll(() => opened.disposeAsync());

afterEach(async () => {
  const { differences } = await compareCountersWithRows(house.db);
  if (differences.length > 0) throw new Error(`counters and rows differ: ${JSON.stringify(differences)}`);
});

async function openApi(instanceId: string, quorumUrls: string): Promise<Api> {
  const own = opened.use(
    openTestContext({
      DATABASE_URL: house.databaseUrl,
      REDIS_URL: inject('redisUrl'),
      QUORUM_REDIS_URLS: quorumUrls,
      INSTANCE_ID: instanceId,
    }),
  );
  await untilReady(own);
  context = own;
  const app = createTestApp(own, { instanceId });
  return async (method, path, body, key) => {
    const response = await app.request(path, {
      method,
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      isReplayed: response.headers.get('idempotency-replayed') === 'true',
      body: (await response.json()) as Answer['body'],
    };
  };
}

async function hold(eventId: number, body: object = {}, key?: string): Promise<string> {
  const answer = await here('POST', `/events/${eventId}/holds`, { seconds: 60, ...body }, key);
  expect(answer).toMatchObject({ status: 201, body: { state: 'held' } });
  return String(answer.body['bookingId']);
}

const endOf = ({ body }: Answer) => Date.parse(String(body['expiresAt']));
const stateOf = async (id: string) => (await there('GET', `/bookings/${id}`)).body['state'];
const confirm = (id: string, api = there) => api('POST', `/holds/${id}/confirm`);
const giveUp = (id: string, api = there) => api('DELETE', `/holds/${id}`);
const extend = (id: string, seconds: number) => there('PATCH', `/holds/${id}`, { seconds });

test('a hold takes the tickets, and is a booking once it is confirmed, by whichever replica', async () => {
  const eventId = await house.newEvent(5);
  const id = await hold(eventId, { quantity: 2 });
  expect(await house.event(eventId)).toMatchObject({ available: 3, held: 2, booked: 0 });
  const confirmed = await confirm(id);
  expect(confirmed).toMatchObject({ status: 200, body: { bookingId: id, quantity: 2, state: 'confirmed' } });
  expect(await confirm(id, here), 'again').toEqual(confirmed);
  expect(await house.event(eventId)).toMatchObject({ available: 3, held: 0, booked: 2 });
  await letHoldsAge(house.db, eventId, 100);
  expect(await stateOf(id)).toBe('confirmed');
  expect(await house.event(eventId)).toMatchObject({ available: 3, held: 0, booked: 2 });
});

test('a hold that is given up frees its tickets once, and can be nothing else any more', async () => {
  const eventId = await house.newEvent(5);
  const id = await hold(eventId, { quantity: 2 });
  expect(await giveUp(id)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  for (const answer of [await giveUp(id, here), await confirm(id), await extend(id, 60)])
    expect(answer).toMatchObject({ status: 409, body: { code: 'not_held' } });
  expect(await house.event(eventId)).toMatchObject({ available: 5, held: 0, booked: 0 });
  await letHoldsAge(house.db, eventId, 100);
  expect(await house.event(eventId)).toMatchObject({ available: 5, held: 0 });
});

test('what is confirmed is cancelled like any booking, and is no hold', async () => {
  const eventId = await house.newEvent(5);
  const id = await hold(eventId, { quantity: 2 });
  await confirm(id);
  for (const answer of [await giveUp(id), await extend(id, 60)])
    expect(answer).toMatchObject({ status: 409, body: { code: 'not_held' } });
  expect(await there('DELETE', `/bookings/${id}`)).toMatchObject({ status: 200 });
  expect(await house.event(eventId)).toMatchObject({ available: 5, booked: 0 });
});

test('from its end on a hold is expired and its tickets are free, though nobody has done anything', async () => {
  const eventId = await house.newEvent(5);
  const id = await hold(eventId, { quantity: 2 });
  await letHoldsAge(house.db, eventId, 59);
  expect(await stateOf(id)).toBe('held');
  await letHoldsAge(house.db, eventId, 2);
  expect(await stateOf(id)).toBe('expired');
  expect(await house.event(eventId)).toMatchObject({ available: 5, held: 0, booked: 0 });
  for (const answer of [await confirm(id), await extend(id, 60), await giveUp(id)])
    expect(answer).toMatchObject({ status: 409, body: { code: 'hold_expired' } });
  const { rows } = await sql`select state from bookings where id = ${id}`.execute(house.db);
  expect(rows, 'and its row has not changed').toEqual([{ state: 'held' }]);
});

test('a hold lasts as long as was asked for, however long its statement has waited for the row', async () => {
  const eventId = await house.newEvent(5);
  const holder = await house.db.startTransaction().execute();
  await allowIdle(holder, 60_000);
  await lockStock(holder, eventId);
  const made = here('POST', `/events/${eventId}/holds`, { seconds: 10 });
  await untilSomebodyWaits(house.db);
  // Longer than the second to which an end is rounded up.
  await sleep(1_200);
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(holder);
  await holder.commit().execute();
  const { body } = await made;
  const lastsMs = Date.parse(String(body['expiresAt'])) - (rows[0]?.now.getTime() ?? 0);
  expect(lastsMs).toBeGreaterThan(10_000 - 1);
});

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('sells what ended holds have left, before and after somebody has swept', async () => {
    const eventId = await house.newEvent(4);
    await hold(eventId, { quantity: 3 });
    const path = `/book/${name}/${eventId}`;
    expect(await there('POST', path, { quantity: 2 })).toMatchObject({
      status: 409,
      body: { code: 'all_held', nextHoldEndsAt: expect.stringMatching(/Z$/) },
    });
    expect(await there('POST', path, { quantity: 5 })).toMatchObject({ body: { code: 'sold_out' } });
    await letHoldsAge(house.db, eventId, 100);
    const booked = await there('POST', path, { quantity: 2 });
    expect(booked.status).toBe(201);
    await sweepHolds(context.db);
    expect((await here('POST', path, { quantity: 2 })).status).toBe(201);
    expect(await here('POST', path)).toMatchObject({ status: 409, body: { code: 'sold_out' } });
    expect(await house.event(eventId)).toMatchObject({ available: 0, held: 0, booked: 4 });
  });
});

test('a repeat of a hold gets the first answer, also once it was extended, confirmed or is over', async () => {
  const eventId = await house.newEvent(5);
  const body = { customer: 'ada', quantity: 2, seconds: 60 };
  const repeat = (api: Api, other = {}) =>
    api('POST', `/events/${eventId}/holds`, { ...body, ...other }, 'order');
  const first = await repeat(here);
  expect(first).toMatchObject({ status: 201, isReplayed: false });
  const id = String(first.body['bookingId']);
  expect((await extend(id, 300)).status).toBe(200);
  const again = { ...first, isReplayed: true };
  expect(await repeat(there)).toEqual(again);
  await confirm(id);
  expect(await repeat(here)).toEqual(again);
  expect((await repeat(here, { seconds: 61 })).status).toBe(422);
  const asBooking = await here(
    'POST',
    `/events/${eventId}/bookings`,
    { customer: 'ada', quantity: 2 },
    'order',
  );
  expect(asBooking.status).toBe(422);
  expect(await house.event(eventId)).toMatchObject({ available: 3, booked: 2 });
});

test('a hold is extended from now on, never made shorter, and never beyond the longest one', async () => {
  const eventId = await house.newEvent(5);
  const id = await hold(eventId);
  const first = endOf(await extend(id, 1));
  expect(endOf(await extend(id, 300)) - first).toBeGreaterThanOrEqual(239_000);
  const extended = endOf(await extend(id, 10));
  expect(extended - first).toBeGreaterThanOrEqual(239_000);
  await letHoldsAge(house.db, eventId, 200);
  expect(await stateOf(id)).toBe('held');
  let beganAgo = 200;
  while (beganAgo + 850 < MAX_HOLD_TOTAL_S) {
    expect((await extend(id, 850)).status).toBe(200);
    await letHoldsAge(house.db, eventId, 800);
    beganAgo += 800;
  }
  expect(await extend(id, 850)).toMatchObject({ status: 409, body: { code: 'hold_too_long' } });
  expect(await stateOf(id)).toBe('held');
  expect(await house.event(eventId)).toMatchObject({ available: 4, held: 1 });
});

test.each([true, false])('a late payment is honoured where the event says so: %s', async (isHonoured) => {
  const { id: eventId } = await createEvent(house.db, {
    name: 'Late',
    capacity: 3,
    honoursLatePayment: isHonoured,
  });
  const [first, second] = [await hold(eventId, { quantity: 2 }), await hold(eventId)];
  await letHoldsAge(house.db, eventId, 100);
  const expected = isHonoured
    ? { status: 200, body: { state: 'confirmed' } }
    : { status: 409, body: { code: 'hold_expired' } };
  expect(await confirm(first)).toMatchObject(expected);
  await there('POST', `/events/${eventId}/bookings`, { quantity: isHonoured ? 1 : 3 });
  expect(await confirm(second), 'sold meanwhile').toMatchObject({ body: { code: 'hold_expired' } });
  expect(await house.event(eventId)).toMatchObject({ available: 0, held: 0, booked: 3 });
});

test('a late payment of a hold that was marked as expired', async () => {
  const { id: eventId } = await createEvent(house.db, {
    name: 'Late',
    capacity: 3,
    honoursLatePayment: true,
  });
  const id = await hold(eventId);
  await letHoldsAge(house.db, eventId, 100);
  await sweepHolds(context.db);
  const { rows } = await sql`select state from bookings where id = ${id}`.execute(house.db);
  expect(rows).toEqual([{ state: 'expired' }]);
  expect((await confirm(id)).status).toBe(200);
  expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 1 });
});

test('a hold of before a reset takes nothing from what there is since', async () => {
  const eventId = await house.newEvent(3);
  const [kept, given] = [await hold(eventId), await hold(eventId)];
  await beginEpoch(house.db, eventId, 3);
  expect((await confirm(kept)).status).toBe(200);
  expect((await giveUp(given)).status).toBe(200);
  await letHoldsAge(house.db, eventId, 100);
  await endHolds(house.db, eventId);
  expect(await house.event(eventId)).toMatchObject({ available: 3, held: 0, booked: 0 });
  await sweepHolds(context.db);
  const { rows } = await sql`select from held_stock where event_id = ${eventId}`.execute(house.db);
  expect(rows).toEqual([]);
});

test('an event is made no smaller than what is booked and held; what has ended does not count', async () => {
  const eventId = await house.newEvent(9);
  await here('POST', `/events/${eventId}/bookings`, { quantity: 2 });
  await hold(eventId, { quantity: 3 });
  expect(await here('PATCH', `/events/${eventId}`, { capacity: 4 })).toMatchObject({
    status: 409,
    body: { code: 'below_booked' },
  });
  expect(await here('PATCH', `/events/${eventId}`, { capacity: 6 })).toMatchObject({
    status: 200,
    body: { capacity: 6, available: 1, booked: 2, held: 3 },
  });
  await letHoldsAge(house.db, eventId, 100);
  expect(await here('PATCH', `/events/${eventId}`, { capacity: 2 })).toMatchObject({
    status: 200,
    body: { capacity: 2, available: 0, booked: 2, held: 0 },
  });
});

test('a clock that is set back makes no ticket twice: what was given back stays so', async () => {
  const eventId = await house.newEvent(1);
  const old = await hold(eventId);
  await letHoldsAge(house.db, eventId, 100);
  const second = await hold(eventId);
  // As if the clock said now what it said then: all that is to come lies as much further ahead.
  await sql`
    update bookings set expires_at = expires_at + interval '1 hour' where event_id = ${eventId}`.execute(
    house.db,
  );
  await sql`
    update held_stock set ends_at = ends_at + interval '1 hour' where event_id = ${eventId}`.execute(
    house.db,
  );
  expect(await confirm(old)).toMatchObject({ status: 409, body: { code: 'hold_expired' } });
  expect((await confirm(second)).status).toBe(200);
  expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 1 });
});

test('the cost of counting is that of seconds, not of holds', async () => {
  const eventId = await house.newEvent(200);
  await Promise.all(Array.from({ length: 100 }, () => hold(eventId)));
  const { rows } = await sql<{ seconds: number }>`
    select count(*) as seconds from held_stock where event_id = ${eventId}`.execute(house.db);
  expect(rows[0]?.seconds).toBeLessThan(50);
  await letHoldsAge(house.db, eventId, 100);
  expect((await here('POST', `/events/${eventId}/bookings`, { quantity: 100 })).status).toBe(201);
  expect((await here('POST', `/events/${eventId}/bookings`, { quantity: 100 })).status).toBe(201);
});

test('several sweepers at once mark each hold once and wait for nobody', async () => {
  await sweepHolds(context.db);
  const eventId = await house.newEvent(200);
  await Promise.all(Array.from({ length: 60 }, () => hold(eventId)));
  await letHoldsAge(house.db, eventId, 100);
  await endHolds(house.db, eventId);
  const { rows } = await sql<{
    id: string;
  }>`select id from bookings where event_id = ${eventId} limit 1`.execute(house.db);
  await house.db.transaction().execute(async (trx) => {
    await sql`select from bookings where id = ${rows[0]?.id} for update`.execute(trx);
    const [first, second] = await Promise.all([markExpired(context.db, 40), markExpired(context.db, 40)]);
    expect(first + second).toBe(59);
  });
  expect(await markExpired(context.db, 40)).toBe(1);
});
