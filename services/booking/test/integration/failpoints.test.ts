import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import type { Context } from '#src/context.ts';
import type { FailpointStep, StrategyName } from '#src/contract.ts';
import { lockStock } from '#src/storage/inventory.ts';

import { openHouse, openTestContext, untilReady, type House } from '../support/house.ts';
import { withoutBugs } from '../support/log.ts';
import { startReplica, type Replica } from '../support/replica.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** A fault strikes a booking exactly at the step that it names. */

const opened = new AsyncDisposableStack();
let house: House;
let env: { DATABASE_URL: string; REDIS_URL: string; LOCK_TTL_MS: string };

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl'), LOCK_TTL_MS: '500' };
});

afterAll(() => opened.disposeAsync());

describe('a replica that ends', () => {
  let survivor: Replica;

  beforeAll(async () => {
    survivor = opened.use(await startReplica('survivor', env));
  });

  // What is committed is sold, what is not is free again; who was killed before COMMIT was sent has sold nothing.
  test.each<[StrategyName, FailpointStep, number]>([
    ['fenced-lock', 'arrived', 0],
    ['fenced-lock', 'holds', 0],
    ['fenced-lock', 'read', 0],
    ['fenced-lock', 'written', 0],
    ['fenced-lock', 'commits', 0],
    ['fenced-lock', 'committed', 1],
    ['fenced-lock', 'answered', 1],
    ['batched-lock', 'writes', 0],
    ['batched-lock', 'committed', 1],
  ])(
    'when %s comes to "%s" has sold that, and another one sells the rest exactly',
    async (name, step, sold) => {
      await using replica = await startReplica('doomed', env);
      const eventId = await house.newEvent(2);
      const path = `/book/${name}/${eventId}`;
      await expect(replica.book(path, { failpoint: `${step}=exit` })).rejects.toThrow('fetch failed');
      await replica.exited;
      expect(await house.event(eventId)).toMatchObject({ booked: sold });

      const answers = await Promise.all(Array.from({ length: 3 }, () => survivor.book(path)));
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(2 - sold);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(1 + sold);
      expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 2 });
    },
  );
});

describe('a replica that goes on', () => {
  let app: TestApp;
  let context: Context;
  // In which turn of the event loop's timers each mark was made.
  const turnOf = new Map<string, number>();
  let turn = 0;

  beforeAll(async () => {
    context = opened.use(openTestContext(env));
    await untilReady(context);
    app = createTestApp(context, {
      log: {
        ...withoutBugs,
        info: (entry: unknown) => void turnOf.set((entry as { mark?: string }).mark ?? '', turn),
      },
    });
    const timer = setInterval(() => (turn += 1), 1);
    opened.defer(() => clearInterval(timer));
  });

  async function book(path: string, headers: Record<string, string> = {}) {
    const response = await app.request(path, { method: 'POST', headers: { 'x-marks': '1', ...headers } });
    const marks = [...(response.headers.get('server-timing') ?? '').matchAll(/(\w+);dur=([\d.]+)/g)];
    const at = new Map(marks.map(([, name = '', ms]) => [name, Number(ms)]));
    return {
      status: response.status,
      msFrom: (one: string, other: string) => (at.get(other) ?? Number.NaN) - (at.get(one) ?? Number.NaN),
    };
  }

  // Nothing is asked of Postgres between these two marks.
  const turnsBetween = () => (turnOf.get('writes') ?? Number.NaN) - (turnOf.get('read') ?? Number.NaN);

  test('stands still, all of it, after the step and before the next one', async () => {
    const eventId = await house.newEvent(1);
    const { status, msFrom } = await book(`/book/row-lock/${eventId}`, { 'x-failpoint': 'read=block:300' });
    expect(status).toBe(201);
    expect(msFrom('read', 'writes')).toBeGreaterThanOrEqual(299);
    expect(turnsBetween()).toBe(0);
  });

  test('holds up this booking alone', async () => {
    const eventId = await house.newEvent(1);
    const { status, msFrom } = await book(`/book/row-lock/${eventId}`, { 'x-failpoint': 'read=pause:300' });
    expect(status).toBe(201);
    expect(msFrom('read', 'writes')).toBeGreaterThanOrEqual(299);
    expect(turnsBetween()).toBeGreaterThan(0);
  });

  test('is struck once, however often the booking comes to the step', async () => {
    const eventId = await house.newEvent(1);
    const { status, msFrom } = await book(`/book/fenced-lock/${eventId}`, {
      'x-failpoint': 'holds=block:600',
    });
    // The lease is lost meanwhile, and the second one holds.
    expect(status).toBe(201);
    expect(msFrom('arrived', 'answered')).toBeGreaterThanOrEqual(599);
    expect(await house.event(eventId)).toMatchObject({ booked: 1 });
  });

  test('is struck by a booking of a batch too, also by one that did not begin it', async () => {
    const eventId = await house.newEvent(2);
    const path = `/book/batched-update/${eventId}`;
    const { first, second } = await house.db.transaction().execute(async (trx) => {
      await lockStock(trx, eventId);
      const first = book(path);
      await untilSomebodyWaits(house.db);
      const second = book(path, { 'x-failpoint': 'committed=pause:200' });
      await expect.poll(() => context.strategies.get('batched-update')?.waiting?.()).toBe(1);
      return { first, second };
    });
    expect((await first).status).toBe(201);
    const { status, msFrom } = await second;
    expect(status).toBe(201);
    expect(msFrom('committed', 'answered')).toBeGreaterThanOrEqual(199);
  });
});
