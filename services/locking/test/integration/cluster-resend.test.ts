import {
  findBinary,
  startFaultProxy,
  startRedisCluster,
  type FaultProxy,
  type Server,
} from '@lastseat/infra/servers';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createQueueLock, createSimpleLock, type Locks } from '#src/index.ts';

// The nodes of a cluster must reach each other, which from one container to another takes a network of their own: they
// are plain processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

const stack = new AsyncDisposableStack();
let servers: readonly Server[];
let proxies: FaultProxy[];

beforeAll(async () => {
  if (missing) return;
  servers = stack.use(await startRedisCluster(3)).nodes;
  proxies = await Promise.all(servers.map(({ port }) => startFaultProxy(port)));
  for (const proxy of proxies) stack.use(proxy);
});
afterAll(() => stack.disposeAsync());

function connect(): Cluster {
  const natMap = Object.fromEntries(
    servers.map(({ port }, i) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[i]!.port }]),
  );
  const cluster = new Cluster([servers[0]!.url], { natMap });
  cluster.on('error', () => undefined);
  stack.defer(() => cluster.disconnect());
  return cluster;
}

/** The next call about that name is executed, and its connection breaks before the reply: ioredis sends it again. */
function breakNextCall(name: string): Promise<unknown> {
  const matching = (request: Buffer) => request.includes(`${name}}`);
  return Promise.race(proxies.map((proxy) => proxy.dropReplies(1, { matching }).done));
}

describe.skipIf(missing).each([
  { kind: 'queue lock', create: createQueueLock },
  { kind: 'simple lock', create: createSimpleLock },
])(`in a cluster of three, a $kind whose connection breaks${suffix}`, ({ create }) => {
  const open = (): Locks => stack.use(create(connect()));

  test('while it is released is released, though the call has run twice', async () => {
    const [locks, other] = [open(), open()];
    await locks.withLock('seat', () => undefined);
    for (let round = 0; round < 3; round += 1) {
      const lease = await locks.acquire('seat', { ttlMs: 60_000, waitMs: 20_000 });
      const broken = breakNextCall('seat');
      await expect(lease.release()).resolves.toBeUndefined();
      await broken;
      await (await other.acquire('seat', { waitMs: 20_000 })).release();
    }
  });

  test('while it is released is released, and the next one has it', async () => {
    const [locks, other] = [open(), open()];
    await locks.withLock('seat', () => undefined);
    await other.withLock('seat', () => undefined);
    const lease = await locks.acquire('seat', { ttlMs: 60_000 });
    const next = other.acquire('seat', { waitMs: 25_000 });
    // Until the other one waits, as far as the lock knows of waiting.
    await expect
      .poll(() => other.acquire('seat', { waitMs: 50 }).catch(String), { timeout: 20_000 })
      .toContain('was not free');
    const broken = breakNextCall('seat');
    await lease.release();
    await broken;
    await (await next).release();
  });

  test('while it is acquired or extended is held', async () => {
    const locks = open();
    await locks.withLock('seat', (lease) => lease.extend());
    const acquiring = breakNextCall('seat');
    const lease = await locks.acquire('seat', { ttlMs: 60_000, waitMs: 20_000 });
    await acquiring;
    const extending = breakNextCall('seat');
    await lease.extend(50_000);
    await extending;
    expect(() => lease.assertHeld()).not.toThrow();
    await lease.release();
  });
});
