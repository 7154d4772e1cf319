import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { LockLostError, LockTimeoutError, LockUnavailableError, type Lease } from '#src/index.ts';

import { openQueueLab, type QueueLab } from './queue-lab.ts';

let lab: QueueLab;
beforeAll(async () => {
  lab = await openQueueLab();
});
beforeEach(async () => {
  await lab.redis.flushall();
});
afterEach(() => lab.closeAll());
afterAll(() => lab[Symbol.asyncDispose]());

function onceAborted({ signal }: Lease): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}

describe('a lock that is lost', () => {
  test('is known to be lost at its deadline while Redis hangs, and not passed on to the next caller here', async () => {
    const client = lab.open({ throughProxy: true, unavailableAfterMs: 60_000 });
    const lease = await client.locks.acquire('seat', { ttlMs: 500 });
    const next = client.locks.acquire('seat', { waitMs: 20_000 });
    lab.proxy.blackHole();
    expect(await onceAborted(lease)).toMatchObject({ name: 'LockLostError', why: 'deadline' });
    expect(lease.remainingMs()).toBe(0);
    await expect(lease.release()).rejects.toThrow(LockLostError);

    // Another process has it meanwhile; the next caller here gets it only after that one.
    const other = await lab.open().locks.acquire('seat');
    expect(other.token).toBeGreaterThan(lease.token);
    await lab.proxy.heal();
    await other.release();
    const after = await next;
    expect(after.token).toBeGreaterThan(other.token);
    await after.release();
  });

  test('after a slow answer is lost sooner, not later: its time counts from the question', async () => {
    const client = lab.open({ throughProxy: true });
    await client.locks.withLock('warm up', () => undefined);
    lab.proxy.delay({ replyMs: 300 });
    const lease = await client.locks.acquire('seat', { ttlMs: 5_000 });
    expect(lease.remainingMs()).toBeLessThan(4_700);
    await lease.release();
  });

  test('stays lost: its renewal does not make it again', async () => {
    const client = lab.open();
    const lease = await client.locks.acquire('seat', { ttlMs: 600 });
    const aborted = onceAborted(lease);
    await lab.redis.del('{lock:seat}');
    expect(await aborted).toMatchObject({ why: 'gone' });
    expect(await lab.redis.exists('{lock:seat}')).toBe(0);
    expect(client.count('lost')).toBe(1);
  });

  test('to somebody else is left alone by the one who lost it', async () => {
    const client = lab.open();
    const lease = await client.locks.acquire('seat', { ttlMs: 600 });
    const aborted = onceAborted(lease);
    await lab.redis.set('{lock:seat}', 'an-outsider', 'PX', 60_000);
    expect(await aborted).toMatchObject({ why: 'taken' });
    expect(await lab.redis.get('{lock:seat}')).toBe('an-outsider');
    await lab.redis.del('{lock:seat}');
  });

  test('is known to have been stolen at once, and the thief has a larger token', async () => {
    const robbed = await lab.open().locks.acquire('seat', { ttlMs: 60_000 });
    const aborted = onceAborted(robbed);
    const thief = await lab.open().locks.steal('seat');
    expect(await aborted).toMatchObject({ name: 'LockLostError', why: 'taken' });
    expect(thief.token).toBeGreaterThan(robbed.token);
    await expect(robbed.release()).rejects.toThrow(LockLostError);
    await thief.release();
  });

  test('by theft inside one process is lost as well, and those who wait get it after the thief', async () => {
    const { locks } = lab.open();
    const robbed = await locks.acquire('seat');
    const waiting = locks.acquire('seat');
    const aborted = onceAborted(robbed);
    const thief = await locks.steal('seat');
    expect(await aborted).toMatchObject({ why: 'taken' });
    await thief.release();
    const next = await waiting;
    expect(next.token).toBeGreaterThan(thief.token);
    await next.release();
  });

  test('because its expiry was tampered with is not held by two: the second one has the larger token', async () => {
    const first = await lab.open().locks.acquire('seat');
    await lab.redis.pexpire('{lock:seat}', 1);
    const second = await lab.open().locks.acquire('seat');
    expect(second.token).toBeGreaterThan(first.token);
    await expect(first.release()).rejects.toMatchObject({ why: 'taken' });
    second.assertHeld();
    await second.release();
  });

  test('after the clock of Redis was set back has a successor with a larger token all the same', async () => {
    const { locks } = lab.open();
    const first = await locks.acquire('seat');
    await first.release();
    // As if the last token had been minted an hour from now.
    await lab.redis.set('{lock:seat}:token', String(first.token + 3_600_000_000), 'PX', 60_000);
    const second = await locks.acquire('seat');
    expect(second.token).toBe(first.token + 3_600_000_001);
    await second.release();
  });
});

describe('an answer that is lost', () => {
  // So that Redis knows all scripts: otherwise what is lost is its answer that it does not.
  beforeEach(async () => {
    const { locks } = lab.open({ tenureGrants: 1 });
    await Promise.all([1, 2].map(() => locks.withLock('warm up', (lease) => lease.extend())));
  });

  test('to the first renewal of a new holder: it keeps the lock, and asks again', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const client = lab.open({ throughProxy: true });
    const wait = client.locks.acquire('seat', { ttlMs: 15_000 });
    await client.told('queued');
    const [place] = await lab.queue('seat');
    const lost = lab.proxy.dropReplies(1, { matching: (request) => request.includes(place!) });
    await holder.release();
    const lease = await wait;
    await lost.done;
    await expect.poll(() => lease.remainingMs(), { timeout: 10_000 }).toBeGreaterThan(12_000);
    expect(await lab.redis.hgetall('{lock:seat}')).toEqual({ [`${place}!`]: String(lease.token) });
    await lease.release();
  });

  test('at the end of a tenure: asked again, it is the same place', async () => {
    const client = lab.open({ throughProxy: true, tenureGrants: 1 });
    const first = await client.locks.acquire('seat');
    const second = client.locks.acquire('seat', { waitMs: 20_000 });
    const other = lab.open();
    const next = other.locks.acquire('seat');
    await other.told('queued');
    const lost = lab.proxy.dropReplies(1, { matching: (request) => request.includes('{lock:seat}') });
    await expect(first.release()).rejects.toThrow(LockUnavailableError);
    await lost.done;
    await (await next).release();
    await (await second).release();
    // Not a new place: one that nobody knows any more would be granted, and given back.
    expect(client.count('stale-grant')).toBe(0);
    expect(client.count('queued')).toBe(1);
  });

  test('at the end of a tenure, while those who wait give up: nothing is left of them, however long the outage lasts', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs: 500, unavailableAfterMs: 2_000 });
    const first = await client.locks.acquire('seat', { ttlMs: 1_500 });
    const wait = client.locks.acquire('seat', { ttlMs: 60_000 });
    const lost = lab.proxy.dropReplies(1, { matching: (request) => request.includes('/60000:') });
    const outcomes = Promise.allSettled([first.release(), wait]);
    await lost.done;
    await lab.proxy.refuse();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'LockUnavailableError' } });
    }
    // It was done, and asked for the longer time. Nobody here can know until Redis answers, long after the shorter one.
    expect(await lab.redis.pttl('{lock:seat}')).toBeGreaterThan(50_000);
    await sleep(3_000);
    await lab.proxy.heal();
    await expect.poll(() => lab.redis.exists('{lock:seat}'), { timeout: 20_000 }).toBe(0);
  });

  test('to a release: it is called unknown, and the next one has the lock all the same', async () => {
    const client = lab.open({ throughProxy: true });
    const lease = await client.locks.acquire('seat', { ttlMs: 60_000 });
    const other = lab.open();
    const next = other.locks.acquire('seat');
    await other.told('queued');
    const lost = lab.proxy.dropReplies(1, { matching: (request) => request.includes('{lock:seat}') });
    await expect(lease.release()).rejects.toThrow(LockUnavailableError);
    await lost.done;
    await (await next).release();
  });

  test('a release that Redis never got is repeated until it has', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs: 200 });
    const lease = await client.locks.acquire('seat', { ttlMs: 60_000 });
    lab.proxy.blackHole();
    await expect(lease.release()).rejects.toThrow(LockUnavailableError);
    lab.proxy.cut();
    await lab.proxy.heal();
    await (await lab.open().locks.acquire('seat', { waitMs: 5_000 })).release();
  });
});

describe('a Redis that cannot be reached', () => {
  test('is told to everybody who waits, after the time that was set for it', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs: 500, unavailableAfterMs: 2_000 });
    const holder = await lab.open().locks.acquire('seat');
    const waits = [client.locks.acquire('seat'), client.locks.acquire('seat')];
    const outcomes = Promise.allSettled(waits);
    await client.told('queued');
    await lab.proxy.refuse();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'LockUnavailableError' } });
    }
    await holder.release();
  });

  test('does not end a wait before that', async () => {
    const client = lab.open({ throughProxy: true });
    const holder = await lab.open().locks.acquire('seat');
    const wait = client.locks.acquire('seat', { waitMs: 20_000 });
    await client.told('queued');
    await lab.proxy.refuse();
    await holder.release();
    await lab.proxy.heal();
    const lease = await wait;
    expect(lease.token).toBeGreaterThan(holder.token);
    await lease.release();
  });

  test('does not make a waiter take what it no longer wants when it comes back', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs: 100 });
    await client.locks.withLock('warm up', () => undefined);
    lab.proxy.blackHole();
    await expect(client.locks.acquire('seat', { waitMs: 300, ttlMs: 60_000 })).rejects.toThrow(
      LockUnavailableError,
    );
    // Everything that was sent arrives now, long after anybody waited for it.
    await lab.proxy.heal();
    await (await lab.open().locks.acquire('seat', { waitMs: 5_000 })).release();
  });

  test('that refuses for good is told at once', async () => {
    const client = lab.open();
    await lab.redis.rpush('{lock:seat}:queue', 'not a sorted set');
    await lab.redis.set('{lock:seat}', 'an-outsider', 'PX', 60_000);
    const startedMs = performance.now();
    const error = await client.locks.acquire('seat').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LockUnavailableError);
    expect((error as LockUnavailableError).message).toContain('WRONGTYPE');
    // Long before Redis would count as silent.
    expect(performance.now() - startedMs).toBeLessThan(4_500);
  });

  test('for a moment only, while the lock is held, costs nobody anything', async () => {
    const client = lab.open({ throughProxy: true });
    const lease = await client.locks.acquire('seat', { ttlMs: 1_500 });
    lab.proxy.cut();
    await client.told('renewed', 2);
    expect(() => lease.assertHeld()).not.toThrow();
    await lease.release();
  });
});

describe('a wait', () => {
  test('that is given up takes its place with it', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const client = lab.open();
    const controller = new AbortController();
    const wait = client.locks.acquire('seat', { signal: controller.signal });
    await client.told('queued');
    expect(await lab.queue('seat')).toHaveLength(1);
    controller.abort();
    await expect(wait).rejects.toBe(controller.signal.reason);
    await expect.poll(() => lab.queue('seat')).toEqual([]);
    await holder.release();
  });

  test('that is given up at the moment of the grant gives the grant back, whichever comes first', async () => {
    const [a, b] = [lab.open(), lab.open()];
    let granted = 0;
    let stale = 0;
    for (let round = 0; round < 150; round += 1) {
      const holder = await a.locks.acquire('seat');
      const controller = new AbortController();
      const staleBefore = b.count('stale-grant');
      const wait = b.locks.acquire('seat', { signal: controller.signal }).then(
        (lease) => lease.release(),
        () => 'aborted',
      );
      await b.told('queued', round + 1);
      const released = holder.release();
      // Ever later in the course of the hand-over.
      const endMs = performance.now() + (round % 50) * 0.03;
      while (performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      if ((await wait) === undefined) granted += 1;
      await released;
      stale += b.count('stale-grant') - staleBefore;
    }
    // Nothing of it is left: the lock is free, now.
    const last = await lab.open().locks.acquire('seat', { waitMs: 1_000 });
    await last.release();
    await expect.poll(() => lab.keys()).toEqual(['{lock:seat}:token']);
    expect(granted + stale).toBeGreaterThan(0);
  });

  test('that its client has forgotten, though Redis has not, is given back as soon as it is granted', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const [forgetful, next] = [lab.open(), lab.open()];
    const own = await forgetful.locks.acquire('another');
    const { clientId } = forgetful.locks;
    await own.release();
    await lab.redis.zadd('{lock:seat}:queue', 1, `${clientId}/10000:4711`);
    await lab.redis.zadd('{lock:seat}:waiting', Date.now() + 60_000, clientId);
    const wait = next.locks.acquire('seat');
    await next.told('queued');
    const releasedMs = performance.now();
    await holder.release();
    await (await wait).release();
    // Not for its TTL.
    expect(performance.now() - releasedMs).toBeLessThan(9_000);
    expect(forgetful.count('stale-grant')).toBe(1);
  });

  test('of more callers than may wait here ends at once', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const { locks } = lab.open({ maxWaiting: 2 });
    const waits = [locks.acquire('seat'), locks.acquire('seat')];
    const settled = Promise.allSettled(waits);
    const startedMs = performance.now();
    await expect(locks.acquire('seat')).rejects.toThrow(LockTimeoutError);
    await expect(locks.acquire('another')).rejects.toThrow(LockTimeoutError);
    // Who only tries does not wait.
    expect(await locks.tryAcquire('seat')).toBeNull();
    await (await locks.tryAcquire('another'))?.release();
    expect(await locks.tryAcquire('another')).not.toBeNull();
    // None of them has waited its ten seconds.
    expect(performance.now() - startedMs).toBeLessThan(9_000);
    await holder.release();
    await (await waits[0])?.release();
    await (await waits[1])?.release();
    await settled;
    await (await locks.acquire('a third')).release();
  });
});
