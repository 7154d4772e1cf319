import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startFaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { MAX_RACE_WINDOW_MS } from '#src/contract.ts';
import { DRAIN_GRACE_MS } from '#src/time-limits.ts';

import { openHouse, type House } from '../support/house.ts';
import { lastStatementOf } from '../support/last-statement.ts';
import { startReplica } from '../support/replica.ts';

/** How a replica starts, refuses to start, and stops. */

const opened = new AsyncDisposableStack();
let house: House;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
});

afterAll(() => opened.disposeAsync());

async function run(env: NodeJS.ProcessEnv): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: new URL('../../', import.meta.url),
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr: Buffer.concat(chunks).toString() };
}

test('a wrong environment ends it with every problem and without a stack', async () => {
  const { code, stderr } = await run({ PORT: 'http', LAB_MODE: '1' });
  expect(code).toBe(1);
  for (const name of ['PORT', 'LAB_MODE', 'DATABASE_URL', 'REDIS_URL']) expect(stderr).toContain(name);
  expect(stderr).not.toContain('    at ');
});

test.for([
  ['off', /LAB_STRATEGIES=.*: remove it, or set LAB_MODE=on/],
  ['on', /strategy\.ts: it cannot be loaded: it was loaded/],
] as const)(
  'with lab mode %s a file of strategies is not even opened, or read at once',
  async ([labMode, said]) => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-strategy-'));
    const path = join(folder, 'strategy.ts');
    writeFileSync(path, 'throw new Error("it was loaded");');
    const key = 'a key of at least thirty-two characters';
    const { code, stderr } = await run({ ...env, LAB_MODE: labMode, BOOKING_KEY: key, LAB_STRATEGIES: path });
    rmSync(folder, { recursive: true });
    expect(stderr).toMatch(said);
    expect(stderr.trim().split('\n')).toHaveLength(2);
    expect(code).toBe(1);
  },
);

test('a port that is taken ends it with one line', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run({ ...env, LAB_MODE: 'on', PORT: String(port) });
  other.close();
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(String(port))]);
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('lets what is under way end, gives the lock back and exits with 0', async () => {
    await using stopping = await startReplica('stopping', env);
    await using staying = await startReplica('staying', env);
    const eventId = await house.newEvent(2);
    const underWay = stopping.book(`/book/fenced-lock/${eventId}`, { raceWindowMs: 2_000 });
    underWay.catch(() => {}); // It is awaited below, unless the test fails before.
    await expect
      .poll(() => lastStatementOf(house.db, 'stopping'), { interval: 5 })
      .toContain('select "available"');
    stopping.kill(signal);
    expect((await underWay).status).toBe(201);
    const start = performance.now();
    expect(await stopping.exited).toBe(0);
    // Its connection is idle now, and keeps nobody waiting: it would for as long as requests that are under way may.
    expect(performance.now() - start).toBeLessThan(DRAIN_GRACE_MS);
    // Not after a TTL: at once.
    expect((await staying.book(`/book/fenced-lock/${eventId}`)).status).toBe(201);
    expect((await house.event(eventId)).booked).toBe(2);
  });
});

test('while it stops it serves the connections that it has, closes each with its answer, and takes no new ones', async () => {
  await using replica = await startReplica('draining', { ...env, DRAIN_DELAY_MS: '60000' });
  const eventId = await house.newEvent(1);
  const [asking, booking] = [openConnection(replica.url), openConnection(replica.url)];
  for (const connection of [asking, booking]) {
    expect(await connection.request('GET', '/livez')).toMatchObject({
      status: 200,
      connection: 'keep-alive',
    });
  }
  replica.kill('SIGTERM');
  await expect
    .poll(() =>
      openConnection(replica.url, { keepAlive: false })
        .request('GET', '/livez')
        .catch((error: Error) => error.message),
    )
    .toContain('ECONNREFUSED');

  expect(await asking.request('GET', '/readyz')).toMatchObject({ status: 503, connection: 'close' });
  const booked = await booking.request('POST', `/book-with-lock/${eventId}`);
  expect(booked).toEqual({ status: 201, connection: 'close' });
  // Once the last connection is gone there is nothing to wait for: the delay is longer than this test may last.
  expect(await replica.exited).toBe(0);
  expect(replica.log.filter(({ level }) => level >= 40)).toEqual([]);
});

/** One connection, as a proxy keeps it. */
function openConnection(url: string, { keepAlive = true } = {}) {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  return {
    async request(method: string, path: string) {
      const request = httpRequest(`${url}${path}`, { agent, method }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
      return { status: response.statusCode, connection: response.headers.connection };
    },
  };
}

test('a booking under way is answered before the exit, and a request that never ends does not keep it', async () => {
  await using replica = await startReplica('leaving', { ...env, LOCK_WAIT_MS: '100' });
  const eventId = await house.newEvent(1);
  const unending = connect(Number(new URL(replica.url).port), '127.0.0.1');
  unending.on('error', () => {});
  unending.write('POST /book/row-lock/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n');
  const booking = replica.book(`/book/row-lock/${eventId}`, { raceWindowMs: MAX_RACE_WINDOW_MS });
  await expect.poll(() => lastStatementOf(house.db, 'leaving'), { interval: 5 }).toContain('set_config');
  replica.kill('SIGTERM');
  expect((await booking).status).toBe(201);
  expect(await replica.exited).toBe(0);
  expect(await house.rowsOf(eventId)).toHaveLength(1);
});

test('a Postgres and a Redis that are silent do not keep it', async () => {
  await using postgres = await startFaultProxy(Number(new URL(house.databaseUrl).port));
  await using redis = await startFaultProxy(Number(new URL(inject('redisUrl')).port));
  await using replica = await startReplica('forsaken', {
    DATABASE_URL: postgres.through(house.databaseUrl),
    REDIS_URL: redis.through(inject('redisUrl')),
  });
  expect((await replica.book(`/book/batched-lock/${await house.newEvent(1)}`)).status).toBe(201);
  postgres.blackHole();
  redis.blackHole();
  replica.kill('SIGTERM');
  expect(await replica.exited).toBe(0);
});
