import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

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

test('a port that is taken ends it with one line', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run({ ...env, PORT: String(port) });
  other.close();
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(String(port))]);
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('lets what is under way end, gives the lock back and exits with 0', async () => {
    await using stopping = await startReplica('stopping', env);
    await using staying = await startReplica('staying', env);
    const eventId = await house.newEvent(2);
    const underWay = stopping.book(`/book/fenced-lock/${eventId}`, { raceWindowMs: 500 });
    underWay.catch(() => {}); // It is awaited below, unless the test fails before.
    await expect
      .poll(() => lastStatementOf(house.db, 'stopping'), { interval: 5 })
      .toContain('select available');
    stopping.kill(signal);
    expect((await underWay).status).toBe(201);
    expect(await stopping.exited).toBe(0);
    // Not after a TTL: at once.
    expect((await staying.book(`/book/fenced-lock/${eventId}`)).status).toBe(201);
    expect((await house.event(eventId)).booked).toBe(2);
  });
});

test('while it drains it serves, says that it is leaving and closes each connection', async () => {
  await using replica = await startReplica('draining', { ...env, DRAIN_DELAY_MS: '2000' });
  const eventId = await house.newEvent(1);
  const before = await fetch(`${replica.url}/readyz`);
  expect(before.headers.get('connection')).toBe('keep-alive');
  replica.kill('SIGTERM');
  await expect.poll(async () => (await fetch(`${replica.url}/readyz`)).status, { interval: 5 }).toBe(503);
  const booked = await fetch(`${replica.url}/book-with-lock/${eventId}`, { method: 'POST' });
  expect(booked.status).toBe(201);
  expect(booked.headers.get('connection')).toBe('close');
  expect(await replica.exited).toBe(0);
  expect(replica.log.filter(({ level }) => level >= 40)).toEqual([]);
});

test('a hanging request holds the exit up only so long', async () => {
  await using replica = await startReplica('hung', { ...env, LOCK_WAIT_MS: '0' });
  const eventId = await house.newEvent(1);
  const hung = replica.book(`/book/row-lock/${eventId}`, { raceWindowMs: 5_000 });
  const fate = hung.catch(() => 'cut off');
  await expect.poll(() => lastStatementOf(house.db, 'hung'), { interval: 5 }).toContain('for update');
  const start = performance.now();
  replica.kill('SIGTERM');
  expect(await replica.exited).toBe(0);
  expect(performance.now() - start).toBeLessThan(8_000);
  expect(await fate).toBe('cut off');
  expect(await house.rowsOf(eventId)).toEqual([]);
});
