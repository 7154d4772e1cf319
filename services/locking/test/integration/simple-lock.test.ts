import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { createSimpleLock, LockUnavailableError, type LockEvent, type SimpleLocks } from '#src/index.ts';

import { openLockLab, type LockLab } from './lock-lab.ts';

let lab: LockLab;
let redis: Redis;

beforeAll(async () => {
  lab = await openLockLab({
    servers: 1,
    createLocks: ([client], options) => createSimpleLock(client!, options),
  });
  redis = new Redis(lab.servers[0]!.url);
});
beforeEach(() => lab.onAll('flushall'));
afterEach(() => lab.closeAll());
afterAll(async () => {
  redis.disconnect();
  await lab[Symbol.asyncDispose]();
});

/** How often a script was called on the server. */
async function scriptCalls(): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

test('an acquire whose reply was lost keeps the token that was minted then', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  const loss = lab.proxies[0]!.dropReplies(1, { matching: (request) => request.includes('seat') });
  const granted = locks.acquire('seat');
  await loss.done;
  const minted = await redis.get('{simple-lock:seat}:token');
  const lease = await granted;
  expect(String(lease.token)).toBe(minted);
  expect(await redis.get('{simple-lock:seat}:token')).toBe(minted);
  await lease.release();
});

test('what is asked during an outage is not executed at its end', async () => {
  const locks = lab.open({ throughProxies: true });
  const lease = await locks.acquire('kept', { ttlMs: 60_000, renew: false });
  await lab.proxies[0]!.refuse();
  await expect.poll(() => lab.clients[0]!.status).not.toBe('ready');
  const before = await scriptCalls();
  await expect(locks.acquire('seat', { waitMs: 500 })).rejects.toThrow(LockUnavailableError);
  for (let i = 0; i < 20; i += 1)
    await expect(locks.tryAcquire('seat')).rejects.toThrow(LockUnavailableError);
  await expect(lease.extend(3_600_000)).rejects.toThrow(LockUnavailableError);
  await lab.proxies[0]!.heal();
  await locks.withLock('another', () => undefined);
  expect(await scriptCalls()).toBe(before + 2);
  expect(await redis.pttl('{simple-lock:kept}')).toBeLessThanOrEqual(60_000);
});

test('a grant whose reply comes after the end of the lease is not taken for one', async () => {
  const locks = lab.open({ throughProxies: true });
  await locks.withLock('warm up', () => undefined);
  lab.proxies[0]!.delay({ replyMs: 150 });
  const late = locks.acquire('seat', { ttlMs: 100, waitMs: 0 });
  await expect(late).rejects.toMatchObject({ name: 'LockUnavailableError', cause: { message: /too late/ } });
});

test('a refusal that waiting does not cure is reported at once', async () => {
  await redis.lpush('{simple-lock:seat}:token', 'not a token');
  const startedMs = performance.now();
  const refused = lab.open().acquire('seat', { waitMs: 15_000 });
  await expect(refused).rejects.toMatchObject({
    name: 'LockUnavailableError',
    cause: { message: /WRONGTYPE/ },
  });
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

test('stealing takes the lock at once, with a larger token', async () => {
  const [robbed, thief] = [lab.open(), lab.open() as SimpleLocks];
  const lost = await robbed.acquire('seat');
  const stolen = await thief.steal('seat');
  expect(stolen.token).toBeGreaterThan(lost.token);
  await expect(lost.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'taken' });
  await stolen.release();
});

test('inspect lists who holds what, under the prefix of this service and of its client', async () => {
  const client = new Redis(lab.servers[0]!.url, { keyPrefix: 'app:*:' });
  const locks = createSimpleLock(client, { clientId: 'box-office', keyPrefix: 'seats[1]/' });
  const leases = await Promise.all(['a', '}', ''].map((name) => locks.acquire(name)));
  await lab.open().acquire('somebody else');

  const { held, pending } = await locks.inspect();
  expect(held.map(({ name }) => name).sort()).toEqual(['', 'a', '}']);
  expect(held.every(({ clientId, mode }) => clientId.startsWith('box-office:') && mode === 'exclusive')).toBe(
    true,
  );
  expect(pending).toEqual([]);
  await Promise.all(leases.map((lease) => lease.release()));
  expect((await locks.inspect()).held).toEqual([]);
  client.disconnect();
});

test('events tell what becomes of each lease', async () => {
  const client = new Redis(lab.servers[0]!.url);
  const events: LockEvent[] = [];
  const locks = createSimpleLock(client, { ttlMs: 300, onEvent: (event) => events.push(event) });
  const lease = await locks.acquire('seat');
  expect(await locks.tryAcquire('seat')).toBeNull();
  await expect.poll(() => events.map(({ type }) => type)).toContain('renewed');
  await lease.release();
  const lost = await locks.acquire('seat');
  await lab.onAll('flushall');
  await expect.poll(() => lost.signal.aborted).toBe(true);

  const told = events.filter(({ type }) => type !== 'renewed' && type !== 'round-trip');
  expect(told).toMatchObject([
    { type: 'granted', lock: 'seat', token: lease.token, from: 'free' },
    { type: 'refused', lock: 'seat', why: 'timeout' },
    { type: 'released', lock: 'seat', token: lease.token },
    { type: 'granted', lock: 'seat', token: lost.token },
    { type: 'lost', lock: 'seat', token: lost.token, why: 'gone' },
  ]);
  client.disconnect();
});
