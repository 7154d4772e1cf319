import { readFile } from 'node:fs/promises';

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { createQuorumLock, LockLostError, LockTimeoutError, LockUnavailableError } from '#src/index.ts';

import { openLockLab, type LockLab } from './lock-lab.ts';

let lab: LockLab;
let redises: Redis[];

beforeAll(async () => {
  lab = await openLockLab({ servers: 3, createLocks: createQuorumLock });
  redises = lab.servers.map(({ url }) => new Redis(url));
});
beforeEach(() => lab.onAll('flushall'));
afterEach(() => lab.closeAll());
afterAll(async () => {
  for (const redis of redises) redis.disconnect();
  await lab[Symbol.asyncDispose]();
});

/** Which servers keep the lock, whoever it belongs to. */
async function keptBy(name: string): Promise<number[]> {
  const exist = await Promise.all(redises.map((redis) => redis.exists(`{quorum-lock:${name}}`)));
  return exist.flatMap((exists, index) => (exists === 1 ? [index] : []));
}

test('a quorum is an odd number of servers, three or more, all different', () => {
  const [a, b, c] = redises as [Redis, Redis, Redis];
  for (const wrong of [[], [a], [a, b], [a, b, c, a], [a, b, a]]) {
    expect(() => createQuorumLock(wrong)).toThrow(RangeError);
  }
});

test.each([0, 1, 2])('server %i may be unreachable', async (dead) => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  await lab.proxies[dead]!.refuse();
  const tokens: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    await locks.withLock('seat', async (lease) => {
      tokens.push(lease.token);
      await lease.extend();
    });
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
});

test('a server that was unreachable is not sent, when it returns, what was asked meanwhile', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  const client = lab.clients[0]!;
  await expect.poll(() => client.status).toBe('ready');
  await lab.proxies[0]!.refuse();
  await expect.poll(() => client.status).not.toBe('ready');
  for (let i = 0; i < 5; i += 1) await locks.withLock('seat', (lease) => lease.extend());
  await lab.proxies[0]!.heal();
  await expect.poll(() => client.status).toBe('ready');
  expect(await redises[0]!.exists('{quorum-lock:seat}:token')).toBe(0);
});

test('an extension that is asked for while a majority is unreachable is not executed at its end', async () => {
  const locks = lab.open({ throughProxies: true });
  const { clients } = lab;
  const lease = await locks.acquire('seat', { ttlMs: 60_000, renew: false });
  await Promise.all([0, 1].map((i) => lab.proxies[i]!.refuse()));
  await expect.poll(() => [0, 1].map((i) => clients[i]!.status)).not.toContain('ready');
  await expect(lease.extend(3_600_000)).rejects.toThrow(LockUnavailableError);
  await Promise.all([0, 1].map((i) => lab.proxies[i]!.heal()));
  // What the client has kept for later goes out before this.
  await Promise.all(clients.map((client) => client.ping()));
  const left = await Promise.all([0, 1].map((i) => redises[i]!.pttl('{quorum-lock:seat}')));
  expect(Math.max(...left)).toBeLessThanOrEqual(60_000);
  await lease.release();
});

test.each([0, 1, 2])('server %i may be silent, and nobody waits for it', async (silent) => {
  lab.open({ throughProxies: true });
  const serverTimeoutMs = 8_000;
  const locks = createQuorumLock([...lab.clients], { serverTimeoutMs });
  await locks.withLock('warm up', () => undefined);
  lab.proxies[silent]!.blackHole();
  const startedMs = performance.now();
  await locks.withLock('seat', (lease) => lease.extend());
  // Not even the time-out of one of its five questions, which is far from what a busy machine takes for all of them.
  expect(performance.now() - startedMs).toBeLessThan(serverTimeoutMs);
});

test('without a majority there is no lock, and nothing is left of the attempt', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  await Promise.all([lab.proxies[0]!.refuse(), lab.proxies[1]!.refuse()]);
  const error = await locks.acquire('seat', { waitMs: 100, ttlMs: 60_000 }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(LockUnavailableError);
  expect((error as LockUnavailableError).cause).toMatchObject({ message: /no majority: 2 of 3/ });
  await expect.poll(() => keptBy('seat')).toEqual([]);
});

test('a minority in the hands of another is given back, and is no majority', async () => {
  await redises[0]!.set('{quorum-lock:seat}', 'another');
  const locks = lab.open();
  await locks.withLock('seat', () => undefined);
  await redises[1]!.set('{quorum-lock:seat}', 'another');
  await expect(locks.acquire('seat', { waitMs: 100, ttlMs: 60_000 })).rejects.toThrow(LockTimeoutError);
  await expect.poll(() => keptBy('seat')).toEqual([0, 1]);
});

test('tokens increase when each majority is another one', async () => {
  const tokens: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    const locks = lab.open({ throughProxies: true });
    await locks.withLock('warm up', () => undefined);
    await lab.proxies[i % 3]!.refuse();
    await locks.withLock('seat', ({ token }) => void tokens.push(token));
    await lab.proxies[i % 3]!.heal();
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
});

test('tokens increase also where no clock helps', async () => {
  const farAhead = Date.now() * 1_000 + 3_600_000_000;
  const tokens = [farAhead];
  for (let i = 0; i < 6; i += 1) {
    const locks = lab.open({ throughProxies: true });
    await locks.withLock('warm up', () => undefined);
    await lab.proxies[i % 3]!.refuse();
    const tokenAbove = i === 0 ? farAhead : 0;
    await (await locks.acquire('seat', { tokenAbove })).release();
    await locks.withLock('seat', ({ token }) => void tokens.push(token));
    await lab.proxies[i % 3]!.heal();
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
});

test('a token is remembered until the clocks have passed it', async () => {
  const locks = lab.open({ tokenMemoryMs: 1 });
  const lease = await locks.acquire('seat', { tokenAbove: Date.now() * 1_000 + 3_600_000_000 });
  await lease.extend();
  await lease.release();
  const leftMs = await Promise.all(redises.map((redis) => redis.pttl('{quorum-lock:seat}:token')));
  // Of the third one the answer may not have been waited for.
  expect(leftMs.filter((ms) => ms > 3_500_000).length).toBeGreaterThanOrEqual(2);
});

test('a server that took the lock without our knowing is released too', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  const loss = lab.proxies[2]!.dropReplies(1, {
    matching: (request) => request.includes('seat'),
    afterwards: 'silence',
  });
  const lease = await locks.acquire('seat', { ttlMs: 60_000 });
  await loss.done;
  expect(await keptBy('seat')).toEqual([0, 1, 2]);
  await lease.release();
  await lab.proxies[2]!.heal();
  await expect.poll(() => keptBy('seat')).toEqual([]);
});

test('a server that is slow and has forgotten the scripts does not take the lock after its release', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  await redises[2]!.script('FLUSH');
  await redises[2]!.script(
    'LOAD',
    await readFile(new URL('../../src/lua/release.lua', import.meta.url), 'utf8'),
  );
  lab.proxies[2]!.delay({ replyMs: 60 });
  await (await locks.acquire('seat', { ttlMs: 60_000 })).release();
  await locks[Symbol.asyncDispose]();
  expect(await keptBy('seat')).toEqual([]);
});

test('a lease outlives the loss of a minority, and not that of a majority', async () => {
  const lease = await lab.open().acquire('seat', { ttlMs: 5_000 });
  await expect.poll(() => keptBy('seat')).toEqual([0, 1, 2]); // the third may have come after the majority
  await redises[0]!.flushall();
  await expect(lease.extend()).resolves.toBeUndefined();
  expect(await lab.open().tryAcquire('seat')).toBeNull();
  await redises[1]!.flushall();
  await expect(lease.extend()).rejects.toThrow(LockLostError);
  expect(lease.signal.aborted).toBe(true);
  // What the lost lease still keeps on the third server is no obstacle for long.
  await expect.poll(() => keptBy('seat')).toEqual([]);
});

test('of the waiters of a process one tries for all, and they are served in order', async () => {
  const locks = lab.open({ retryDelayMs: 60_000 });
  const holder = await locks.acquire('seat');
  const served: number[] = [];
  const waiters = Array.from({ length: 20 }, (_, i) => locks.withLock('seat', () => served.push(i)));
  await holder.release();
  // Each of them is called by the release before it: nobody ends its pause of a minute or two.
  await Promise.all(waiters);
  expect(served).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('who waits in vain keeps nobody from waiting on', async () => {
  const locks = lab.open({ retryDelayMs: 5 });
  const other = lab.open();
  const holder = await other.acquire('seat');
  const aborted = new AbortController();
  const results = Promise.allSettled([
    locks.acquire('seat', { waitMs: 100 }),
    locks.acquire('seat', { waitMs: 200 }),
    locks.acquire('seat', { waitMs: 10_000, signal: aborted.signal }),
  ]);
  const patient = locks.acquire('seat', { waitMs: 10_000 });
  // Who only tries takes no place in the local queue.
  expect(await locks.tryAcquire('seat')).toBeNull();
  aborted.abort(new Error('no longer'));
  const reasons = (await results).map((result) => result.status === 'rejected' && result.reason);
  expect(reasons).toEqual([
    expect.any(LockTimeoutError),
    expect.any(LockTimeoutError),
    new Error('no longer'),
  ]);
  expect(reasons[1]).toMatchObject({ waitMs: 200, holder: holder.holder });
  await holder.release();
  expect((await patient).token).toBeGreaterThan(holder.token);
});
