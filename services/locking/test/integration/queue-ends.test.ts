import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, LockUnavailableError } from '#src/index.ts';
import { systemTimers } from '#src/timers.ts';

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

async function connections(): Promise<number> {
  return String(await lab.redis.client('LIST'))
    .trim()
    .split('\n').length;
}

describe('what is left behind', () => {
  test('of a name is its last token, and after a while not even that', async () => {
    const { locks } = lab.open({ tokenMemoryMs: 300 });
    const other = lab.open({ tokenMemoryMs: 300 });
    const lease = await locks.acquire('seat');
    const next = other.locks.acquire('seat');
    await other.told('queued');
    await lease.release();
    await (await next).release();
    expect(await lab.keys()).toEqual(['{lock:seat}:token']);
    await expect.poll(() => lab.keys()).toEqual([]);
  });

  test('of waiters who die is nothing, after a while', async () => {
    const holder = await lab.open().locks.acquire('seat', { ttlMs: 60_000 });
    const own = new Redis(lab.server.url);
    const dying = createQueueLock(own, { pollMs: 50 });
    const wait = dying.acquire('seat', { waitMs: 20_000 });
    wait.catch(() => undefined);
    await expect.poll(() => lab.queue('seat')).toHaveLength(1);
    // Whoever looks keeps it; whoever is dead does not.
    expect(await lab.redis.pttl('{lock:seat}:queue')).toBeGreaterThan(0);
    expect(await lab.redis.pttl('{lock:seat}:waiting')).toBeGreaterThan(0);
    await dying.close();
    await expect(wait).rejects.toThrow(LockUnavailableError);
    own.disconnect();
    await holder.release();
  });

  test('of ten thousand names is no timer, no listener and no memory', async () => {
    const { locks } = lab.open();
    await locks.withLock('warm up', () => undefined);
    const timers = systemTimers.size;
    const controller = new AbortController();
    for (let i = 0; i < 10_000; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, j) =>
          locks.withLock(`seat ${i + j}`, { signal: controller.signal }, () => undefined),
        ),
      );
    }
    expect(systemTimers.size).toBeLessThanOrEqual(timers);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});

describe('closing', () => {
  test('gives leases back at once, and tells their holders', async () => {
    const client = lab.open();
    const lease = await client.locks.acquire('seat', { ttlMs: 60_000 });
    const { signal } = lease;
    const next = lab.open();
    const wait = next.locks.acquire('seat');
    await next.told('queued');
    await client.locks.close();
    expect(signal.reason).toMatchObject({ name: 'LockLostError', why: 'closed' });
    await (await wait).release();
  });

  test('sends everybody away who waits, and leaves no place, timer or connection', async () => {
    const holder = await lab.open().locks.acquire('seat');
    const before = await connections();
    const timers = systemTimers.size;
    const own = new Redis(lab.server.url);
    const locks = createQueueLock(own);
    const waits = [locks.acquire('seat'), locks.acquire('seat')];
    const outcomes = Promise.allSettled(waits);
    await expect.poll(() => lab.queue('seat')).toHaveLength(1);
    await locks.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'LockUnavailableError' } });
    }
    own.disconnect();
    expect(await lab.queue('seat')).toEqual([]);
    expect(systemTimers.size).toBeLessThanOrEqual(timers);
    await expect.poll(connections).toBe(before);
    await expect(locks.acquire('seat')).rejects.toThrow(LockUnavailableError);
    await holder.release();
  });

  test('is bounded, also when Redis does not answer', async () => {
    const client = lab.open({ throughProxy: true, commandTimeoutMs: 300 });
    await client.locks.acquire('seat');
    lab.proxy.blackHole();
    const startedMs = performance.now();
    await client.locks.close();
    // A few time-outs of 300 ms, and what a busy machine adds to them.
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe('ten thousand waiters', () => {
  test.each([
    ['of one process', { coalesce: true }],
    ['with a place each', { coalesce: false }],
  ])('%s cost less than 2 kB of heap and 1 kB of Redis each', { timeout: 200_000 }, async (_how, options) => {
    // Two seconds on a machine of one's own, and a minute on one that others keep busy.
    const waiters = 10_000;
    const holder = await lab.open().locks.acquire('seat', { ttlMs: 60_000 });
    const client = lab.open({ ...options, commandTimeoutMs: 50_000 });
    await client.locks.withLock('warm up', () => undefined);
    const controller = new AbortController();
    const heapBefore = heapUsed();
    const redisBefore = await redisUsed();
    const waits = Array.from({ length: waiters }, () =>
      client.locks.acquire('seat', { waitMs: 180_000, signal: controller.signal }),
    );
    const outcomes = Promise.allSettled(waits);
    await client.told('queued', options.coalesce ? 1 : waiters);
    // The listener of the lab keeps every event; it is not what is measured here.
    client.events.length = 0;
    const heap = (heapUsed() - heapBefore) / waiters;
    const redis = ((await redisUsed()) - redisBefore) / waiters;
    controller.abort();
    await outcomes;
    await holder.release();
    expect(heap).toBeLessThan(2_000);
    expect(redis).toBeLessThan(1_000);
    await expect.poll(() => lab.keys(), { timeout: 20_000 }).not.toContain('{lock:seat}:queue');
  });
});

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

async function redisUsed(): Promise<number> {
  // Without the buffers of connections, which are large for a moment and the same for any number of waiters.
  return Number(/used_memory_dataset:(\d+)/.exec(await lab.redis.info('memory'))?.[1]);
}
