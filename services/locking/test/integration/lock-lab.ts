import { startFaultProxy, startRedis, type FaultProxy, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';

import type { RedisClient } from '#src/client/choose-adapter.ts';
import type { AcquireDefaultOptions, Listeners, Locks } from '#src/index.ts';

import { clientLibraries, type ClientLibrary, type OpenClient } from './client-libraries.ts';

/** One of the algorithms, as the conformance suite needs it. */
export interface LockKind {
  /** Where it runs, if not on Redis. */
  readonly openLab?: (() => Promise<ConformanceLab>) | undefined;
  /** How many servers it runs on. */
  readonly servers: number;
  createLocks(clients: RedisClient[], options: LockKindOptions): Locks;
  /** Of what kind its servers are; default: Redis. */
  readonly startServer?: (() => Promise<Server>) | undefined;
  /** Whose clients it is given; default: the newest ioredis. */
  readonly library?: ClientLibrary;
}

export interface LockKindOptions extends AcquireDefaultOptions, Listeners {
  tokenMemoryMs?: number;
  retryDelayMs?: number;
  keyPrefix?: string;
  clientId?: string;
}

/** What can be done to the network of those who go through it, see `FaultProxy`. */
export interface LabProxy {
  dropReplies(count: number, options: { matching: (request: Buffer) => boolean }): { done: Promise<void> };
  refuse(): Promise<void>;
  blackHole(): void;
  heal(): Promise<void>;
}

/** Where a test may lose data or cut services off, and any number of lock services there. */
export interface ConformanceLab extends AsyncDisposable {
  readonly proxies: readonly LabProxy[];
  /** A lock service with connections of its own, as another process would have; closed by `closeAll`. */
  open(options?: LockKindOptions & { throughProxies?: boolean }): Locks;
  /** The clients that were made for the service that was opened last. */
  readonly clients: readonly Pick<Redis, 'eventNames' | 'listenerCount'>[];
  /** All keys on all servers. */
  keys(): Promise<string[]>;
  onAll(command: 'flushall' | 'scriptflush'): Promise<void>;
  /** Ends all faults, services and connections. */
  closeAll(): Promise<void>;
}

/** Servers of its own. */
export interface LockLab extends ConformanceLab {
  readonly servers: readonly Server[];
  readonly proxies: readonly FaultProxy[];
  /** Of ioredis, unless its kind says otherwise. */
  readonly clients: readonly Redis[];
}

export async function openLockLab(kind: LockKind): Promise<LockLab> {
  const stack = new AsyncDisposableStack();
  const { startServer = startRedis } = kind;
  const servers = await Promise.all(Array.from({ length: kind.servers }, () => startServer()));
  for (const server of servers) stack.use(server);
  const proxies = await Promise.all(servers.map((server) => startFaultProxy(server.port)));
  for (const proxy of proxies) stack.use(proxy);
  const direct = servers.map((server) => new Redis(server.url));
  for (const redis of direct) stack.defer(() => redis.disconnect());

  const connectBy = kind.library ?? clientLibraries.ioredis;
  let clients: OpenClient[] = [];
  const open: { locks: Locks; clients: OpenClient[] }[] = [];

  return {
    servers,
    proxies,
    get clients() {
      return clients.map(({ client }) => client as Redis);
    },
    open({ throughProxies = false, ...options } = {}) {
      clients = servers.map((server, index) =>
        connectBy(throughProxies ? proxies[index]!.through(server.url) : server.url),
      );
      const locks = kind.createLocks(
        clients.map(({ client }) => client),
        options,
      );
      open.push({ locks, clients });
      return locks;
    },
    async keys() {
      return (await Promise.all(direct.map((redis) => redis.keys('*')))).flat();
    },
    async onAll(command) {
      await Promise.all(
        direct.map((redis) => (command === 'flushall' ? redis.flushall() : redis.script('FLUSH'))),
      );
    },
    async closeAll() {
      await Promise.all(proxies.map((proxy) => proxy.heal()));
      await Promise.all(open.map(({ locks }) => locks[Symbol.asyncDispose]()));
      for (const { clients } of open.splice(0)) for (const client of clients) client.disconnect();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
