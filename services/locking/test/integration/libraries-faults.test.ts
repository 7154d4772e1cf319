import {
  findBinary,
  startFaultProxy,
  startRedis,
  type FaultProxy,
  type Server,
} from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  createQueueLock,
  createSimpleLock,
  LockError,
  type QueueLocks,
  type SimpleLocks,
} from '#src/index.ts';

import { clientLibraries } from './client-libraries.ts';

// A replica must reach its primary, which from one container to another takes a network of their own: both are plain
// processes.
const missing = findBinary('redis-server') === null;
const title = 'whatever library the client is of';

/** One after another, each would wait for the same time-outs as all of them together. */
const libraries = Object.entries(clientLibraries);

let stack: AsyncDisposableStack;
let server: Server;
let proxy: FaultProxy;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  if (missing) return;
  server = stack.use(await startRedis({ runtime: 'native' }));
  proxy = stack.use(await startFaultProxy(server.port));
});
afterEach(() => stack.disposeAsync());

function connect({ url }: Server): Redis {
  return stack.adopt(new Redis(url), (redis) => redis.disconnect());
}

interface Opened<L> {
  /** The library, for messages and as the name of a lock. */
  readonly name: string;
  readonly locks: L;
}

function openAll<L extends AsyncDisposable>(
  create: (client: ReturnType<(typeof libraries)[0][1]>['client']) => L,
): Opened<L>[] {
  return libraries.map(([name, library]) => {
    const { client, disconnect } = library(proxy.through(server.url));
    stack.defer(disconnect);
    return { name, locks: stack.use(create(client)) };
  });
}

const patience = { waitMs: 40_000, unavailableAfterMs: 40_000 };
const openQueues = (): Opened<QueueLocks>[] => openAll((client) => createQueueLock(client, patience));
const openSimple = (): Opened<SimpleLocks>[] =>
  openAll((client) => createSimpleLock(client, { waitMs: patience.waitMs }));

/** Each takes its lock and gives it back; the error, if any, names the library. */
async function useAll(all: readonly Opened<QueueLocks | SimpleLocks>[]): Promise<void> {
  await Promise.all(
    all.map(async ({ name, locks }) => {
      try {
        await locks.withLock(name, () => undefined);
      } catch (cause) {
        throw new Error(`with ${name}: ${String(cause)}`, { cause });
      }
    }),
  );
}

describe.skipIf(missing)(
  missing ? `${title} (no redis-server installed)` : title,
  { timeout: 90_000 },
  () => {
    test('a planned failover behind one address is followed, by questions and by messages', async () => {
      const replica = stack.use(
        await startRedis({ runtime: 'native', settings: { replicaof: `127.0.0.1 ${server.port}` } }),
      );
      const [old, next] = [connect(server), connect(replica)];
      await vi.waitUntil(
        async () => (await next.info('replication')).includes('master_link_status:up'),
        40_000,
      );
      const queues = openQueues();
      await useAll(queues);
      await old.call('FAILOVER', 'TO', '127.0.0.1', replica.port, 'TIMEOUT', '10000');
      await vi.waitUntil(async () => (await next.info('replication')).includes('role:master'), 40_000);
      proxy.pointTo(replica.port);

      await useAll(queues);
      const waits = queues.map(async ({ name, locks }) => {
        await using _holder = await locks.acquire(name);
        // While somebody waits it is looked whether messages come.
        await expect(locks.acquire(name, { waitMs: 100 })).rejects.toThrow('was not free');
      });
      await Promise.all(waits);
      const channels = queues.map(({ locks }) => `lock:@${locks.clientId}`);
      const heard = async () => next.pubsub('NUMSUB', ...channels);
      await expect.poll(heard, { timeout: 40_000 }).toEqual(channels.flatMap((channel) => [channel, 1]));
    });

    test('a server that is killed is used again when it is back', async () => {
      const all = [...openQueues(), ...openSimple()];
      await useAll(all);
      await server.kill();
      const again = useAll(all);
      again.catch(() => undefined);
      await server.restart();
      await expect(again).resolves.toBeUndefined();
    });

    test('a server that is stopped for a while keeps nobody waiting for longer', async () => {
      const all = [...openQueues(), ...openSimple()];
      await useAll(all);
      await server.pause();
      const impatient = all.map(async ({ name, locks }) => {
        const error: unknown = await locks.acquire(name, { waitMs: 200 }).catch((caught: unknown) => caught);
        return { name, code: error instanceof LockError ? error.code : 'none' };
      });
      expect(await Promise.all(impatient)).toEqual(
        all.map(({ name }) => ({ name, code: 'LOCK_UNAVAILABLE' })),
      );
      const again = useAll(all);
      again.catch(() => undefined);
      await server.resume();
      await expect(again).resolves.toBeUndefined();
    });

    test('a connection that has fallen silent is made anew', async () => {
      const queues = openQueues();
      await useAll(queues);
      // The next question of each is executed, and its connection says nothing any more.
      const silenced = proxy.dropReplies(queues.length, {
        matching: (request) => request.includes('{lock:'),
        afterwards: 'silence',
      });
      await useAll(queues);
      expect(silenced.dropped).toHaveLength(queues.length);
    });
  },
);
