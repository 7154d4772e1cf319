import { setTimeout as sleep } from 'node:timers/promises';

import {
  findBinary,
  startFaultProxy,
  startRedis,
  type FaultProxy,
  type Server,
} from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createQueueLock, type Lease, type QueueLocks } from '#src/index.ts';

// Two servers, a primary and its replica, behind one address. The replica must reach its primary, which from one
// container to another takes a network of their own: they run as plain processes.
const missing = findBinary('redis-server') === null;
const title = 'a primary and its replica behind one address';

interface Node {
  readonly server: Server;
  readonly redis: Redis;
}

let stack: AsyncDisposableStack;
let nodes: [primary: Node, replica: Node];
let proxy: FaultProxy;
let clients: QueueLocks[];

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  nodes = [await startNode(), await startNode()];
  const [primary, replica] = nodes;
  await replica.redis.replicaof('127.0.0.1', primary.server.port);
  await told(replica, 'master_link_status:up');
  proxy = stack.use(await startFaultProxy(primary.server.port));
});
afterEach(() => stack.disposeAsync());

async function startNode(): Promise<Node> {
  const server = stack.use(await startRedis({ runtime: 'native' }));
  return { server, redis: connect(server.url) };
}

function connect(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

function told({ redis }: Node, what: string): Promise<unknown> {
  return vi.waitUntil(async () => (await redis.info('replication')).includes(what), { timeout: 20_000 });
}

function openClients(options: (duplicate: Redis['duplicate']) => Partial<Redis> = () => ({})): void {
  clients = [1, 2, 3].map(() => {
    const redis = connect(proxy.through(nodes[0].server.url));
    Object.assign(redis, options(redis.duplicate.bind(redis)));
    return stack.adopt(createQueueLock(redis, { pollMs: 200 }), (locks) => locks.close());
  });
}

/** The replica becomes the primary, with all data; then the address leads to it. */
async function failOver(): Promise<void> {
  const [primary, replica] = nodes;
  await primary.redis.call('FAILOVER', 'TO', '127.0.0.1', replica.server.port, 'TIMEOUT', '10000');
  await told(replica, 'role:master');
  nodes = [replica, primary];
  proxy.pointTo(replica.server.port);
  await told(primary, 'master_link_status:up');
}

/** Every client takes the lock and gives it back all the time; each grant is looked at. */
function startRivals() {
  const held = new Set<Lease>();
  const tokens: number[] = [];
  let met = 0;
  const until = { enough: false };

  async function takeAgainAndAgain(locks: QueueLocks): Promise<void> {
    while (!until.enough) {
      const lease = await locks.acquire('seat', { waitMs: 60_000 }).catch(() => undefined);
      if (lease === undefined) continue;
      for (const other of held) if (other.remainingMs() > 0) met += 1;
      held.add(lease);
      tokens.push(lease.token);
      await sleep(2);
      held.delete(lease);
      await lease.release().catch(() => undefined);
    }
  }
  const all = Promise.all(clients.map(takeAgainAndAgain));
  stack.defer(() => {
    until.enough = true;
  });

  return {
    tokens,
    get met() {
      return met;
    },
    async more(count: number) {
      const enough = tokens.length + count;
      await expect.poll(() => tokens.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(enough);
    },
    async end() {
      until.enough = true;
      await all;
    },
  };
}

describe.skipIf(missing)(missing ? `${title} (no redis-server installed)` : title, () => {
  test('a planned failover lets no two hold the lock, and gives no token twice', async () => {
    openClients();
    const rivals = startRivals();
    for (let round = 0; round < 3; round += 1) {
      await rivals.more(20);
      await failOver();
      await rivals.more(20);
    }
    await rivals.end();
    const { tokens, met } = rivals;
    expect(met).toBe(0);
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => a - b));
  }, 120_000);

  test('a planned failover takes the subscriptions along: the next one is told by a message again', async () => {
    openClients();
    const rivals = startRivals();
    await rivals.more(20);
    await failOver();
    await rivals.more(20);
    await rivals.end();
    const [primary] = nodes;
    const channels = clients.map(({ clientId }) => `lock:@${clientId}`);
    await expect
      .poll(() => primary.redis.pubsub('NUMSUB', ...channels))
      .toEqual(channels.flatMap((channel) => [channel, 1]));
  }, 120_000);

  test('a proxy that sends subscriptions to the replica: the lock goes round, to one at a time', async () => {
    const { port } = nodes[1].server;
    openClients((duplicate) => ({
      duplicate: (options) =>
        duplicate(options?.connectionName === 'lock-messages' ? { ...options, port } : options),
    }));
    const rivals = startRivals();
    await rivals.more(10);
    await rivals.end();
    expect(rivals.met).toBe(0);
    expect(rivals.tokens).toEqual([...new Set(rivals.tokens)].toSorted((a, b) => a - b));
  }, 120_000);
});
