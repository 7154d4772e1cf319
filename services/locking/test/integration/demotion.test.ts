import { findBinary, startFaultProxy, startRedis, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createSimpleLock, type Locks } from '#src/index.ts';

import { startOldWording } from './old-wording.ts';

// A replica must reach its primary, which from one container to another takes a network of their own: both are plain
// processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

async function startServer(): Promise<{ server: Server; redis: Redis }> {
  const server = stack.use(await startRedis({ runtime: 'native' }));
  return { server, redis: connect(server.port) };
}

/** With the options that a client has by default. */
function connect(port: number): Redis {
  const redis = new Redis(port, '127.0.0.1');
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

const wordings = [
  { since: 'since version 7', wordedPort: (port: number) => Promise.resolve(port) },
  {
    since: 'before version 7',
    wordedPort: async (port: number) => stack.use(await startOldWording(port)).port,
  },
];

describe.skipIf(missing).each(wordings)(`as Redis words it $since${suffix}`, ({ wordedPort }) => {
  test('a server that is demoted is left as soon as its address leads to the new primary', async () => {
    const [old, next] = [await startServer(), await startServer()];
    const address = stack.use(await startFaultProxy(await wordedPort(old.server.port)));
    const locks = stack.use(createQueueLock(connect(address.port)));
    const lease = await locks.acquire('kept', { ttlMs: 60_000 });
    await next.redis.replicaof('127.0.0.1', old.server.port);
    await expect.poll(() => next.redis.info('replication')).toContain('master_link_status:up');
    await next.redis.replicaof('NO', 'ONE');
    await old.redis.replicaof('127.0.0.1', next.server.port);
    await expect.poll(() => old.redis.info('replication')).toContain('master_link_status:up');

    await expect(locks.acquire('seat', { waitMs: 300 })).rejects.toMatchObject({
      name: 'LockUnavailableError',
      message: expect.stringContaining('READONLY') as string,
    });
    address.pointTo(next.server.port);
    // It would be told after five seconds that there is no usable answer.
    await (await locks.acquire('seat', { waitMs: 25_000 })).release();
    await lease.release();
    expect(await next.redis.exists('{lock:kept}')).toBe(0);
  });

  test.each([
    { kind: 'queue lock', create: createQueueLock },
    { kind: 'simple lock', create: createSimpleLock },
  ])('a $kind waits for a server that is short of memory', async ({ create }) => {
    const { server, redis } = await startServer();
    const locks: Locks = stack.use(create(connect(await wordedPort(server.port))));
    await locks.withLock('warm up', () => undefined);
    await redis.config('SET', 'maxmemory', '1');
    await expect(locks.acquire('seat', { waitMs: 200 })).rejects.toThrow('OOM');
    let over = false;
    const waiting = locks.acquire('seat', { waitMs: 25_000 }).finally(() => {
      over = true;
    });
    await expect(locks.acquire('another', { waitMs: 200 })).rejects.toThrow('OOM');
    expect(over).toBe(false);
    await redis.config('SET', 'maxmemory', '0');
    await (await waiting).release();
  });
});
