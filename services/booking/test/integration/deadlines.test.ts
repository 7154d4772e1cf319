import { setTimeout as sleep } from 'node:timers/promises';

import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { createQueueLock, createSimpleLock, type Locks } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import { lockNameOf } from '#src/booking/strategy.ts';
import type { StrategyName } from '#src/contract.ts';
import { lockStock } from '#src/storage/inventory.ts';
import { PROXY_READ_TIMEOUT_MS } from '#src/time-limits.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { bookingRequest } from '../support/requests.ts';

/**
 * One thing after the other goes wrong, each within its own limit. All together must be answered before the proxy in
 * front gives up, and what is answered must be true.
 */

const opened = new AsyncDisposableStack();
let house: House;
let redis: Redis;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
});

afterAll(() => opened.disposeAsync());

/** How the proxy knows the statements. */
const statements = {
  'the read': 'select "available"',
  'the write': 'update "inventory"',
  'the booking': 'taken as (',
  COMMIT: 'commit\0',
};

interface Case {
  name: StrategyName;
  silentAt: keyof typeof statements;
  held: keyof typeof holders;
  /** Not much less than a wait for it may last. */
  heldMs: number;
}

/** Each returns how it ends. */
const holders = {
  'the queue lock': async (eventId: number) => holdLock(createQueueLock(redis), eventId),
  'the simple lock': async (eventId: number) => holdLock(createSimpleLock(redis), eventId),
  async 'the row'(eventId: number) {
    const trx = await house.db.startTransaction().execute();
    await lockStock(trx, eventId);
    return () => trx.rollback().execute();
  },
};

async function holdLock(locks: Locks, eventId: number) {
  const lease = await locks.acquire(lockNameOf(eventId));
  return async () => {
    await lease.release();
    await locks[Symbol.asyncDispose]();
  };
}

const cases: Case[] = [
  { name: 'fenced-lock', held: 'the queue lock', heldMs: 4_000, silentAt: 'the read' },
  { name: 'fenced-lock', held: 'the queue lock', heldMs: 4_000, silentAt: 'the write' },
  { name: 'fenced-lock', held: 'the queue lock', heldMs: 4_000, silentAt: 'COMMIT' },
  { name: 'simple-lock', held: 'the simple lock', heldMs: 4_000, silentAt: 'COMMIT' },
  { name: 'batched-lock', held: 'the queue lock', heldMs: 4_000, silentAt: 'the booking' },
  { name: 'row-lock', held: 'the row', heldMs: 1_000, silentAt: 'COMMIT' },
  { name: 'atomic-update', held: 'the row', heldMs: 1_000, silentAt: 'the booking' },
];

describe.concurrent('an event whose lock is held for long, and then a Postgres that falls silent', () => {
  test.for(cases)('$name: $held, then silence at $silentAt', async (each, { expect }) => {
    const { name, held, heldMs, silentAt } = each;
    await using proxy = await startFaultProxy(Number(new URL(house.databaseUrl).port));
    await using context = openTestContext({
      DATABASE_URL: proxy.through(house.databaseUrl),
      REDIS_URL: inject('redisUrl'),
    });
    await untilReady(context);
    const eventId = await house.newEvent(3);
    const letGo = await holders[held](eventId);
    const silence = silenceAt(proxy, statements[silentAt]);
    const beganMs = performance.now();
    const booking = book(strategyOf(context, name), bookingRequest(eventId));
    await sleep(heldMs);
    await letGo();
    const { code } = await booking;
    const tookMs = performance.now() - beganMs;
    await proxy.heal();

    expect(silence, 'the fault has happened').toEqual({ hasFallen: true });
    expect(code).toMatch(/^(unknown|unavailable|busy)$/);
    expect(tookMs).toBeLessThan(PROXY_READ_TIMEOUT_MS);
    const { available, booked } = await house.event(eventId);
    expect(available + booked).toBe(3);
    if (code !== 'unknown') expect(booked).toBe(0);
  });
});

/** From that statement on nothing gets through, on no connection. */
function silenceAt(proxy: FaultProxy, statement: string): { hasFallen: boolean } {
  const silence = { hasFallen: false };
  proxy.dropReplies(1, {
    matching(sent) {
      if (!silence.hasFallen && sent.includes(statement)) {
        silence.hasFallen = true;
        proxy.blackHole();
      }
      return false;
    },
  });
  return silence;
}
