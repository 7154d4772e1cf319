import {
  findBinary,
  freePort,
  startFaultProxy,
  startRedis,
  type FaultProxy,
  type Server,
} from '@lastseat/infra/servers';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { createQueueLock, createSimpleLock, type Locks } from '#src/index.ts';

// The nodes of a cluster must reach each other, which from one container to another takes a network of their own: they
// are plain processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

const slots = 16_384;
const nodes = 3;

const stack = new AsyncDisposableStack();
let servers: Server[];
let proxies: FaultProxy[];

beforeAll(async () => {
  if (missing) return;
  servers = await Promise.all(Array.from({ length: nodes }, startNode));
  const direct = servers.map(({ url }) => new Redis(url));
  const [, busPort = ''] = await direct[0]!.config('GET', 'cluster-port');
  for (const [i, redis] of direct.entries()) {
    stack.defer(() => redis.disconnect());
    const share = (n: number) => Math.floor((n * slots) / nodes);
    await redis.cluster('ADDSLOTSRANGE', share(i), share(i + 1) - 1);
    if (i > 0) await redis.call('CLUSTER', 'MEET', '127.0.0.1', servers[0]!.port, busPort);
  }
  await vi.waitUntil(async () => (await Promise.all(direct.map(isWhole))).every(Boolean), 30_000);
  proxies = await Promise.all(servers.map(({ port }) => startFaultProxy(port)));
  for (const proxy of proxies) stack.use(proxy);
});
afterAll(() => stack.disposeAsync());

async function isWhole(redis: Redis): Promise<boolean> {
  return /cluster_state:ok[^]*cluster_known_nodes:3/.test(await redis.cluster('INFO'));
}

async function startNode(): Promise<Server> {
  // By default the port and 10,000: more than there are, for some.
  const settings = { 'cluster-enabled': 'yes', 'cluster-port': String(await freePort()) };
  return stack.use(await startRedis({ runtime: 'native', settings }));
}

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
    await expect(other.acquire('seat', { waitMs: 50 })).rejects.toThrow('was not free');
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
