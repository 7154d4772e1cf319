import { startFaultProxy, startRedis, type FaultProxy, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';

import { createQueueLock, type LockEvent, type QueueLockOptions, type QueueLocks } from '#src/index.ts';

/** A queue lock with connections of its own, as another process would have, and everything it told. */
export interface Client {
  readonly locks: QueueLocks;
  readonly events: LockEvent[];
  /** How many events of that type it has told. */
  count(type: LockEvent['type']): number;
  /** Resolves once it has told so many events of that type, at once if it has already. */
  told(type: LockEvent['type'], times?: number): Promise<void>;
}

export interface QueueLab extends AsyncDisposable {
  readonly server: Server;
  readonly proxy: FaultProxy;
  /** For looks and for tampering. */
  readonly redis: Redis;
  open(options?: QueueLockOptions & { throughProxy?: boolean }): Client;
  /** The ids in the queue of that name, first to last. */
  queue(name: string): Promise<string[]>;
  keys(): Promise<string[]>;
  closeAll(): Promise<void>;
}

export async function openQueueLab(): Promise<QueueLab> {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startRedis());
  const proxy = stack.use(await startFaultProxy(server.port));
  const redis = connect(server.url);
  stack.defer(() => redis.disconnect());
  const open: { locks: QueueLocks; redis: Redis }[] = [];

  return {
    server,
    proxy,
    redis,
    open({ throughProxy = false, ...options } = {}) {
      const own = connect(throughProxy ? proxy.through(server.url) : server.url);
      const events: LockEvent[] = [];
      const counts = new Map<LockEvent['type'], number>();
      const count = (type: LockEvent['type']) => counts.get(type) ?? 0;
      const watchers = new Set<() => void>();
      const locks = createQueueLock(own, {
        ...options,
        onEvent(event) {
          events.push(event);
          counts.set(event.type, count(event.type) + 1);
          for (const watcher of watchers) watcher();
        },
      });
      open.push({ locks, redis: own });
      return {
        locks,
        events,
        count,
        told(type, times = 1) {
          return new Promise((resolve) => {
            const watcher = () => {
              if (count(type) < times) return;
              watchers.delete(watcher);
              resolve();
            };
            watchers.add(watcher);
            watcher();
          });
        },
      };
    },
    queue: (name) => redis.zrange(`{lock:${name}}:queue`, '0', '-1'),
    keys: () => redis.keys('*'),
    async closeAll() {
      await proxy.heal();
      await Promise.all(open.map(({ locks }) => locks.close()));
      for (const { redis: own } of open.splice(0)) own.disconnect();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function connect(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: (attempt) => Math.min(20 * attempt, 200) });
  // What goes wrong with a connection is what these tests are about; ioredis would print it.
  redis.on('error', () => undefined);
  return redis;
}
