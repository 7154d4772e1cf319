import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';

import { NotSentError, PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';
import { openPool, type PooledDb } from '#src/storage/pool.ts';
import { openPools } from '#src/storage/pools.ts';
import type { Trx } from '#src/storage/schema.ts';
import { transact } from '#src/storage/transaction.ts';

/** One connection and what can become of it. */

const opened = new AsyncDisposableStack();
let proxy: FaultProxy;
let db: PooledDb;

beforeAll(async () => {
  proxy = opened.use(await startFaultProxy(Number(new URL(inject('postgresUrl')).port)));
});

afterAll(() => opened.disposeAsync());

beforeEach(() => {
  db = openPool({
    url: proxy.through(inject('postgresUrl')),
    max: 1,
    applicationName: 'pool-test',
    statementTimeoutMs: 300,
  });
});

afterEach(async () => {
  await proxy.heal();
  await db.destroy();
});

const inMs = (ms: number) => performance.now() + ms;

const one = async () => (await sql<{ one: number }>`select ${1}::int as one`.execute(db)).rows[0]?.one;

test('a connection that has gone silent is given up and replaced', async () => {
  expect(await one()).toBe(1);
  proxy.dropReplies(1, { afterwards: 'silence' });
  await expect(one()).rejects.toThrow(PostgresUnavailableError);
  expect(await one()).toBe(1);
});

test('a connection that breaks while it is used is replaced, and the process lives', async () => {
  expect(await one()).toBe(1);
  proxy.dropReplies(1, { afterwards: 'reset' });
  await expect(one()).rejects.toThrow(PostgresUnavailableError);
  expect(await one()).toBe(1);
});

test('a connection that breaks while it is idle is replaced unnoticed', async () => {
  expect(await one()).toBe(1);
  proxy.cut();
  await expect.poll(() => one().catch(() => 'not yet'), { interval: 10 }).toBe(1);
});

test('a statement that takes too long is ended by Postgres, and its connection is kept', async () => {
  const pid = async () =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid;
  const before = await pid();
  await expect(sql`select pg_sleep(5)`.execute(db)).rejects.toThrow(PostgresBusyError);
  expect(await pid()).toBe(before);
});

describe('a transaction that was idle for too long, as that of a stopped process,', () => {
  test.each([
    ['is over by its next statement', async (trx: Trx) => void (await sql`select 1`.execute(trx))],
    ['is over by its commit, and nobody has to wonder', async () => {}],
  ])('%s', async (_, goOn) => {
    const direct = openPool({ url: inject('postgresUrl'), max: 1, applicationName: 'pool-test' });
    opened.defer(() => direct.destroy());
    const end = transact(direct, async (trx) => {
      await sql`set local idle_in_transaction_session_timeout = 50`.execute(trx);
      stopThisProcess(300);
      await goOn(trx);
    });
    await expect(end).rejects.toMatchObject({
      constructor: PostgresUnavailableError,
      cause: { code: '25P03' },
    });
    const { rows } = await sql`select 1 as one`.execute(direct);
    expect(rows, 'the next one gets a connection that works').toEqual([{ one: 1 }]);
  });
});

test('whoever finds no free connection in time is told that it is busy, not that it is down', async () => {
  const { promise: isDone, resolve } = Promise.withResolvers<void>();
  const holder = db.connection().execute(() => isDone);
  const refusal = await one().catch((error: unknown) => error);
  resolve();
  await holder;
  expect(refusal).toBeInstanceOf(PostgresBusyError);
  expect(await one()).toBe(1);
});

describe('for a request that has a deadline', () => {
  test('no connection is waited for beyond it, and the one that comes later goes to the next', async () => {
    const { promise: isDone, resolve } = Promise.withResolvers<void>();
    const holder = db.connection().execute(() => isDone);
    await expect(sql`select 1`.execute(db.until(inMs(50)))).rejects.toThrow(NotSentError);
    resolve();
    await holder;
    expect(await one()).toBe(1);
  });

  test('no answer is waited for beyond it', async () => {
    expect(await one()).toBe(1);
    proxy.blackHole();
    const beganMs = performance.now();
    await expect(sql`select 1`.execute(db.until(inMs(50)))).rejects.toThrow(PostgresUnavailableError);
    // The pool's own limit, 600 ms, is far, and the machine may be busy.
    expect(performance.now() - beganMs).toBeLessThan(500);
  });

  test('nothing is sent after it: no commit either, and then nobody has to wonder', async () => {
    const deadlineMs = inMs(200);
    const end = transact(db.until(deadlineMs), async (trx) => {
      await sql`create temporary table late ()`.execute(trx);
      stopThisProcess(250);
    });
    await expect(end).rejects.toThrow(NotSentError);
    // It was rolled back, on the same connection.
    await sql`create temporary table late ()`.execute(db);
    await expect(sql`select 1`.execute(db.until(deadlineMs))).rejects.toThrow(NotSentError);
  });
});

test('the end of the pool is the end of its connections, whoever has used them', async () => {
  const applicationName = 'pool-ends';
  const pool = openPool({ url: inject('postgresUrl'), max: 1, applicationName });
  await sql`select 1`.execute(pool.until(inMs(10_000)));
  await pool.destroy();
  // One that is left idle would be closed after ten seconds, when pg finds nothing to do for it.
  await expect
    .poll(
      async () => {
        const { rows } = await sql`
          select from pg_stat_activity where application_name = ${applicationName}`.execute(db);
        return rows.length;
      },
      { timeout: 5_000 },
    )
    .toBe(0);
});

test('bigints are numbers', async () => {
  const { rows } = await sql<{ big: number }>`select 9007199254740991::bigint as big`.execute(db);
  expect(rows[0]?.big).toBe(Number.MAX_SAFE_INTEGER);
});

/** It hears of nothing until it goes on: neither of the server's last word nor of the end of the connection. */
function stopThisProcess(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a batch is planned once for all that are sold, however many bookings it has', async () => {
  const pools = openPools({
    url: inject('postgresUrl'),
    sales: 1,
    probeTimeoutMs: 1_000,
    applicationName: 'pool-test',
  });
  try {
    for (let size = 1; size <= 8; size += 1) {
      const quantities = Array.from({ length: 100 * size }, () => 1);
      await sql`select sum(quantity) from unnest(${quantities}::integer[]) as booking (quantity)`.execute(
        pools.sales,
      );
    }
    const { rows } = await sql`
      select generic_plans as kept, custom_plans as anew from pg_prepared_statements
      where statement like '%booking (quantity)%'`.execute(pools.sales);
    expect(rows).toEqual([{ kept: 8, anew: 0 }]);
  } finally {
    await pools.close();
  }
});
