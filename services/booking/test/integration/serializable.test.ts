import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import { serializable } from '#src/booking/strategies/serializable.ts';
import type { StrategyDeps } from '#src/booking/strategy.ts';
import { openPool } from '#src/storage/pool.ts';

import { openHouse, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

/** The isolation level is all that guards: the same code, with it and without it. */

const opened = new AsyncDisposableStack();
let house: House;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
});

afterAll(() => opened.disposeAsync());

async function crowd(isolation: 'serializable' | 'repeatable read' | 'read committed') {
  const eventId = await house.newEvent(2);
  const db = openPool({ url: house.databaseUrl, max: 8, applicationName: 'crowd' });
  let retries = 0;
  const deps = { db, instanceId: 'test', onRetry: () => (retries += 1) } as unknown as StrategyDeps;
  const strategy = serializable(deps, { isolation });
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () => book(strategy, bookingRequest(eventId, { raceWindowMs: 100 }))),
  );
  await db.destroy();
  const { booked, oversold } = await house.event(eventId);
  return { booked, oversold, retries, confirmed: outcomes.filter(({ code }) => code === 'booked').length };
}

test('at SERIALIZABLE it is exact, and the losers start over', async () => {
  const { booked, oversold, confirmed, retries } = await crowd('serializable');
  expect({ booked, oversold, confirmed }).toEqual({ booked: 2, oversold: 0, confirmed: 2 });
  expect(retries).toBeGreaterThan(0);
});

test('at READ COMMITTED the same code oversells, and nobody starts over', async () => {
  const { oversold, retries } = await crowd('read committed');
  expect(oversold).toBeGreaterThan(0);
  expect(retries).toBe(0);
});
