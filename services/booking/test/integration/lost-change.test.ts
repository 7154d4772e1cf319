import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { BookingView, Problem } from '#src/contract.ts';
import { listEvents } from '#src/storage/events.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';

/** The answer to a change is lost on its way from Postgres: it was made, and nobody may say that it was not. */

const opened = new AsyncDisposableStack();
let house: House;
let proxy: FaultProxy;
let context: Context;
let app: TestApp;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  proxy = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  await openApp();
});

async function openApp(): Promise<void> {
  context = opened.use(
    openTestContext({ DATABASE_URL: proxy.through(house.databaseUrl), REDIS_URL: inject('redisUrl') }),
  );
  await untilReady(context);
  app = createTestApp(context);
}

afterEach(() => proxy.heal());

afterAll(() => opened.disposeAsync());

async function send<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await app.request(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

/** Sends a change, and loses what Postgres says to the request that contains `text`. */
async function sendAndLose(text: string, method: string, path: string, body?: object): Promise<Problem> {
  const { dropped } = proxy.dropReplies(1, { matching: (request) => request.includes(text) });
  const answer = await send<Problem>(method, path, body);
  expect(dropped, 'the fault has happened').toHaveLength(1);
  expect(answer).toMatchObject({ status: 504, body: { code: 'unknown' } });
  return answer.body;
}

async function newSoldOutEvent(): Promise<number> {
  const id = await house.newEvent(1);
  expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(201);
  expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(409);
  return id;
}

async function newBooking(): Promise<{ id: number; path: string }> {
  const id = await house.newEvent(1);
  const { body } = await send<BookingView>('POST', `/book/row-lock/${id}`);
  return { id, path: `/bookings/${body.bookingId}` };
}

test('a new capacity is unknown, says where to look, and is sold at once', async () => {
  const id = await newSoldOutEvent();
  const problem = await sendAndLose('commit\0', 'PATCH', `/events/${id}`, { capacity: 2 });
  expect(problem.detail).toContain(`GET /events/${id} `);
  expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(201);
  expect(await house.event(id)).toMatchObject({ capacity: 2, booked: 2 });
});

test('a reset is unknown, says where to look, and its tickets are sold at once', async () => {
  const id = await newSoldOutEvent();
  const problem = await sendAndLose('epoch = epoch + 1', 'POST', `/reset/${id}`);
  expect(problem.detail).toContain(`GET /events/${id} `);
  expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(201);
  expect(await house.event(id)).toMatchObject({ capacity: 1, booked: 1, oversold: 0 });
});

test('a new event is unknown, and the list tells that it is there', async () => {
  const before = await house.newEvent(1);
  const problem = await sendAndLose('insert into events', 'POST', '/events', { name: 'Lost', capacity: 7 });
  expect(problem.detail).toContain('GET /events ');
  const after = await listEvents(house.db, { after: before, limit: 10 }, 'rows');
  expect(after).toMatchObject([{ name: 'Lost', capacity: 7 }]);
});

describe('a cancellation', () => {
  test('whose commit goes unanswered is looked up, and found', async () => {
    const { id, path } = await newBooking();
    const { dropped } = proxy.dropReplies(1, { matching: (request) => request.includes('commit\0') });
    expect((await send('DELETE', path)).status).toBe(200);
    expect(dropped, 'the fault has happened').toHaveLength(1);
    expect(await house.event(id)).toMatchObject({ available: 1, booked: 0 });
  });

  test('that cannot be looked up is unknown, says where to look, and its ticket is sold at once', async () => {
    const { id, path } = await newBooking();
    expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(409);
    let refused: Promise<void> | undefined;
    const { done } = proxy.dropReplies(1, { matching: (request) => request.includes('commit\0') });
    void done.then(() => (refused = proxy.refuse()));
    const { status, body } = await send<Problem>('DELETE', path);
    await refused;
    await proxy.heal();
    expect({ status, code: body.code }).toEqual({ status: 504, code: 'unknown' });
    expect(body.detail).toContain(`GET ${path} `);
    expect(await send('GET', path)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    expect((await send('POST', `/book/batched-lock/${id}`)).status).toBe(201);
  });

  test('that is lost before its commit is not called made', async () => {
    const { id, path } = await newBooking();
    let isCut = false;
    proxy.dropReplies(1, {
      matching(request) {
        if (isCut || !request.includes('commit\0')) return false;
        isCut = true;
        proxy.cut();
        return false;
      },
    });
    expect(await send('DELETE', path)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await house.event(id)).toMatchObject({ available: 0, booked: 1 });
  });
});

function isConfirmation(request: Buffer): boolean {
  return request.includes("set state = 'confirmed'");
}

async function newHold(): Promise<{ id: number; path: string }> {
  const id = await house.newEvent(1);
  const { body } = await send<BookingView>('POST', `/events/${id}/holds`, { seconds: 60 });
  return { id, path: `/holds/${body.bookingId}` };
}

/** Postgres cannot be reached any more once this has been done and its answer lost. */
async function confirmAndLose(path: string, matching: (request: Buffer) => boolean) {
  let refused: Promise<void> | undefined;
  const { done, dropped } = proxy.dropReplies(1, { matching });
  void done.then(() => (refused = proxy.refuse()));
  const answer = await send<Problem>('POST', `${path}/confirm`);
  await refused;
  await proxy.heal();
  expect(dropped, 'the fault has happened').toHaveLength(1);
  return answer;
}

describe('a confirmation', () => {
  // Over connections that have sent it before its text is not sent again: then it would not be met.
  beforeEach(openApp);

  test('whose answer goes lost is made again, and found', async () => {
    const { id, path } = await newHold();
    const { dropped } = proxy.dropReplies(1, { matching: isConfirmation });
    expect(await send('POST', `${path}/confirm`)).toMatchObject({
      status: 200,
      body: { state: 'confirmed' },
    });
    expect(dropped, 'the fault has happened').toHaveLength(1);
    expect(await house.event(id)).toMatchObject({ available: 0, booked: 1 });
  });

  test('that may have been made is unknown where Postgres is gone when it is made again', async () => {
    const { id, path } = await newHold();
    const answer = await confirmAndLose(path, isConfirmation);
    expect(answer).toMatchObject({ status: 504, body: { code: 'unknown' } });
    expect(await house.event(id)).toMatchObject({ available: 0, booked: 1 });
  });

  test('that was made is unknown where Postgres is gone before it is looked at', async () => {
    const { id, path } = await newHold();
    let isMade = false;
    const answer = await confirmAndLose(path, (request) => {
      const isLook = isMade;
      isMade ||= isConfirmation(request);
      return isLook;
    });
    expect(answer).toMatchObject({ status: 504, body: { code: 'unknown' } });
    expect(await house.event(id)).toMatchObject({ available: 0, booked: 1 });
  });
});

test('a change that never reached Postgres is not called unknown', async () => {
  const id = await house.newEvent(1);
  await proxy.refuse();
  for (const [method, path, body] of [
    ['PATCH', `/events/${id}`, { capacity: 2 }],
    ['POST', `/reset/${id}`],
    ['POST', '/events', { name: 'Never', capacity: 1 }],
    ['DELETE', '/bookings/01a20a1f-adc1-79b2-9e70-52c6edbaeb9d'],
  ] as const) {
    expect(await send(method, path, body)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  }
});
