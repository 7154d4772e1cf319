import { findBinary, startFaultProxy, startRedis, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock, type Locks } from '#src/index.ts';

import { clientLibraries, type OpenClient } from './client-libraries.ts';
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

/** Nobody is at that port: it waits for its primary, and may not write. */
const demote = (redis: Redis) => redis.replicaof('127.0.0.1', 1);

const promote = (redis: Redis) => redis.replicaof('NO', 'ONE');

// The locks that use the client of the program: it stays connected to a server that is demoted.
describe.skipIf(missing).each(['ioredis', 'redis'] as const)(`with a client of %s${suffix}`, (library) => {
  function connectWith(server: { url: string }): OpenClient['client'] {
    const { client, disconnect } = clientLibraries[library](server.url);
    stack.defer(disconnect);
    return client;
  }

  test('the simple lock tells that its server is demoted, and goes on when it is the primary again', async () => {
    const { server, redis } = await startServer();
    const locks = stack.use(createSimpleLock(connectWith(server), { commandTimeoutMs: 20_000 }));
    await locks.withLock('warm up', () => undefined);
    await demote(redis);
    await expect(locks.acquire('seat', { waitMs: 300 })).rejects.toMatchObject({
      code: 'LOCK_UNAVAILABLE',
      message: expect.stringContaining('READONLY') as string,
    });
    const wait = locks.acquire('seat', { waitMs: 25_000 });
    // By then the first try of the wait has been answered.
    await expect(locks.tryAcquire('another')).rejects.toThrow('READONLY');
    await promote(redis);
    await (await wait).release();
  });

  test('the quorum lock does without one server that is demoted, and tells when two are', async () => {
    const nodes = [await startServer(), await startServer(), await startServer()] as const;
    const locks = stack.use(
      createQuorumLock(
        nodes.map(({ server }) => connectWith(server)),
        { serverTimeoutMs: 20_000 },
      ),
    );
    await locks.withLock('warm up', () => undefined);
    await demote(nodes[0].redis);
    await locks.withLock('seat', (lease) => lease.extend());
    await demote(nodes[1].redis);
    const readonly = expect.objectContaining({
      message: expect.stringContaining('READONLY') as string,
    }) as Error;
    await expect(locks.acquire('seat', { waitMs: 300 })).rejects.toMatchObject({
      code: 'LOCK_UNAVAILABLE',
      cause: { errors: [readonly, readonly] },
    });
    const wait = locks.acquire('seat', { waitMs: 25_000 });
    await expect(locks.tryAcquire('another')).rejects.toThrow('no majority');
    await promote(nodes[0].redis);
    await (await wait).release();
  });
});

test.skipIf(missing)(
  `a program connects its client of redis anew after a failover, and the simple lock goes on${suffix}`,
  async () => {
    const [old, next] = [await startServer(), await startServer()];
    const address = stack.use(await startFaultProxy(old.server.port));
    const client = createClient({ url: address.through(old.server.url) });
    client.on('error', () => undefined);
    stack.defer(() => client.destroy());
    await client.connect();
    const locks = stack.use(createSimpleLock(client, { commandTimeoutMs: 20_000 }));
    const lost = await locks.acquire('seat');
    await demote(old.redis);
    address.pointTo(next.server.port);
    await expect(locks.acquire('seat', { waitMs: 300 })).rejects.toThrow('READONLY');
    client.destroy();
    await client.connect();
    const lease = await locks.acquire('seat', { waitMs: 25_000 });
    expect(lease.token).toBeGreaterThan(lost.token);
    await lease.release();
  },
);
