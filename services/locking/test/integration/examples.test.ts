import { setTimeout as sleep } from 'node:timers/promises';

import { createDatabase } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';

import { createQueueLock, type QueueLocks } from '#src/index.ts';

import { chargeOnce } from '../../examples/charge-once.ts';
import { order } from '../../examples/inventory.ts';
import { buyTicket } from '../../examples/last-ticket.ts';
import { leadWhileRunning } from '../../examples/leader.ts';
import { callUpstream } from '../../examples/rate-limited.ts';

/** Two lock services stand for two processes. */

const opened = new AsyncDisposableStack();
let pool: Pool;
let locks: [QueueLocks, QueueLocks];
let cleanUp: AsyncDisposableStack;

beforeAll(async () => {
  const database = opened.use(await createDatabase(inject('postgresUrl')));
  pool = opened.adopt(new Pool({ connectionString: database.url }), (pool) => pool.end());
  await pool.query(`
    create table event (id int primary key, tickets_left int not null, fence bigint not null default 0);
    create table stock (sku text primary key, quantity int not null, fence bigint not null default 0);
    create table payment (id text primary key, state text not null default 'due', fence bigint not null default 0)
  `);
});

beforeEach(() => {
  cleanUp = new AsyncDisposableStack();
  locks = [openLocks(), openLocks()];
});

afterEach(() => cleanUp.disposeAsync());
afterAll(() => opened.disposeAsync());

function openLocks(): QueueLocks {
  const redis = cleanUp.adopt(new Redis(inject('redisUrl')), (redis) => redis.disconnect());
  return cleanUp.use(createQueueLock(redis, { keyPrefix: 'examples:' }));
}

const inBoth = <T>(count: number, work: (locks: QueueLocks) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => work(locks[i % 2]!)));

test('the last ticket is sold once, however many want it', async () => {
  await pool.query('insert into event values (1, 3)');
  const answers = await inBoth(20, (locks) => buyTicket(locks, pool, 1));
  expect(answers.filter((answer) => answer === 'bought')).toHaveLength(3);
  expect((await pool.query('select tickets_left from event')).rows).toEqual([{ tickets_left: 0 }]);
});

test('a buyer whose lease is over cannot sell a ticket of a later one', async () => {
  await pool.query('insert into event values (2, 3)');
  await buyTicket(locks[0], pool, 2);
  const late = {
    withLock: (_name: string, _options: object, fn: (lease: object) => unknown) => fn({ token: 1 }),
  };
  await expect(buyTicket(late as never, pool, 2)).rejects.toThrow('later holder');
  expect((await pool.query('select tickets_left from event where id = 2')).rows).toEqual([
    { tickets_left: 2 },
  ]);
});

test('an order has all of its items or none, and no item is sold twice', async () => {
  await pool.query(`insert into stock values ('cup', 5), ('plate', 4), ('spoon', 100)`);
  const sets = [
    [
      { sku: 'cup', quantity: 1 },
      { sku: 'plate', quantity: 1 },
    ],
    [
      { sku: 'plate', quantity: 1 },
      { sku: 'spoon', quantity: 2 },
      { sku: 'cup', quantity: 1 },
    ],
  ];
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => order(locks[i % 2]!, pool, sets[i % 3 === 0 ? 1 : 0]!)),
  );
  expect(answers.filter((answer) => answer === 'ordered')).toHaveLength(4);
  const { rows } = await pool.query<{ sku: string; quantity: number }>('select sku, quantity from stock');
  const left = Object.fromEntries(rows.map(({ sku, quantity }) => [sku, quantity]));
  expect(left).toMatchObject({ cup: 1, plate: 0 });
});

test('a payment is charged once by all workers together', async () => {
  await pool.query(`insert into payment values ('p1')`);
  const keys: string[] = [];
  const charge = async (key: string) => void keys.push(key);
  const answers = await inBoth(6, (locks) => chargeOnce(locks, pool, 'p1', charge));
  expect(answers.sort()).toEqual(['charged', ...Array.from({ length: 5 }, () => 'charged before')]);
  expect(keys).toEqual(['p1']);
});

test('a payment whose charge failed is due still, and the next worker charges it', async () => {
  await pool.query(`insert into payment values ('p2')`);
  const down = new Error('the provider is down');
  await expect(chargeOnce(locks[0], pool, 'p2', () => Promise.reject(down))).rejects.toBe(down);
  expect(await chargeOnce(locks[1], pool, 'p2', async () => undefined)).toBe('charged');
});

test('a job is run by one process at a time, and by the next one as soon as that one stops', async () => {
  const stops = [new AbortController(), new AbortController()];
  const terms: { process: number; term: number }[] = [];
  let running = 0;
  const both = stops.map((stop, process) =>
    leadWhileRunning(
      locks[process]!,
      'report',
      async (signal, term) => {
        running += 1;
        expect(running).toBe(1);
        terms.push({ process, term });
        await untilAborted(signal);
        running -= 1;
      },
      stop.signal,
    ),
  );
  await expect.poll(() => terms.length).toBe(1);
  const first = terms[0]!;
  stops[first.process]!.abort();
  await expect.poll(() => terms.length).toBe(2);
  expect(terms[1]!.process).not.toBe(first.process);
  expect(terms[1]!.term).toBeGreaterThan(first.term);
  for (const stop of stops) stop.abort();
  await Promise.all(both);
});

test('an upstream is called once at a time and at its pace, by all processes together', async () => {
  const intervalMs = 50;
  let inside = 0;
  const beginnings: number[] = [];
  const answers = await inBoth(6, (locks) =>
    callUpstream(
      locks,
      async () => {
        inside += 1;
        expect(inside).toBe(1);
        beginnings.push(performance.now());
        await sleep(1);
        inside -= 1;
        return 'answer';
      },
      { intervalMs },
    ),
  );
  expect(answers).toHaveLength(6);
  const gaps = beginnings.slice(1).map((at, i) => at - beginnings[i]!);
  // A timer of Node may come a millisecond early.
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(intervalMs - 2);
});

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
