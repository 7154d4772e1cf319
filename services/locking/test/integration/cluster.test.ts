import { startRedis, type Server } from '@lastseat/infra/servers';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { createQueueLock, createSimpleLock } from '#src/index.ts';

let server: Server;
let direct: Redis;
let cluster: Cluster;
let byRedis: ReturnType<typeof createCluster>;

// A cluster of one node refuses keys of different slots like any other.
beforeAll(async () => {
  server = await startRedis({ settings: { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' } });
  direct = new Redis(server.url);
  await direct.cluster('ADDSLOTSRANGE', 0, 16_383);
  await vi.waitUntil(async () => (await direct.cluster('INFO')).includes('cluster_state:ok'), 20_000);
  // Where the server runs in a container it knows itself by another port.
  cluster = new Cluster([server.url], { natMap: () => ({ host: '127.0.0.1', port: server.port }) });
  byRedis = createCluster({
    rootNodes: [{ url: server.url }],
    nodeAddressMap: () => ({ host: '127.0.0.1', port: server.port }),
  });
  byRedis.on('error', () => undefined);
});
afterAll(async () => {
  byRedis.destroy();
  cluster.disconnect();
  direct.disconnect();
  await server[Symbol.asyncDispose]();
});

describe.each([
  { kind: 'simple lock', open: () => createSimpleLock(cluster) },
  { kind: 'queue lock', open: () => createQueueLock(cluster) },
  { kind: 'simple lock with redis', open: () => createSimpleLock(byRedis) },
  { kind: 'queue lock with redis', open: () => createQueueLock(byRedis) },
])('$kind on a cluster', ({ open }) => {
  test('lists what others hold, as the first thing that is asked of it', async () => {
    await using holder = open();
    await using _lease = await holder.acquire('listed');
    await using locks = open();
    expect((await locks.inspect()).held).toMatchObject([{ name: 'listed', mode: 'exclusive' }]);
  });

  test.each(['seat', '', '{', '}', '{}', 'a}b', '{a}b', 'events/{1}/seats'])(
    'locks the name "%s"',
    async (name) => {
      await using locks = open();
      const lease = await locks.acquire(name);
      expect(await locks.tryAcquire(name)).toBeNull();
      await lease.extend();
      expect((await locks.inspect()).held).toMatchObject([{ name, mode: 'exclusive' }]);
      await lease.release();
      await expect(locks.withLock(name, ({ token }) => token > lease.token)).resolves.toBe(true);
    },
  );
});
