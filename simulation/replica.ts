import { createBookTogether } from '../services/booking/src/booking/batching/book-together.ts';
import { createRowWaits } from '../services/booking/src/booking/batching/row-waits.ts';
import { createKnownEvents } from '../services/booking/src/booking/known-events.ts';
import { createStrategies, type Strategies } from '../services/booking/src/booking/registry.ts';
import { limitWaits, type PooledDb } from '../services/booking/src/storage/pool.ts';
import { REDIS_SILENCE_MS } from '../services/booking/src/time-limits.ts';
import type { AcquireOptions, Lease } from '../services/locking/src/lock.ts';
import { openQueueLock } from '../services/locking/src/queue-lock.ts';
import { openSimpleLock } from '../services/locking/src/simple-lock.ts';
import { createTimers, systemClock } from '../services/locking/src/timers.ts';
import { connectPostgres, type ModelConnections } from './models/connections.ts';
import type { Postgres } from './models/postgres.ts';
import { connectRedis, type RedisLinks } from './models/redis-links.ts';
import type { Redis } from './models/redis.ts';
import type { Network } from './world/network.ts';
import type { Process, Scheduler } from './world/scheduler.ts';

/** One replica of the service, as context.ts puts it together, over models of its servers. */
export interface Replica {
  readonly name: string;
  readonly process: Process;
  readonly db: PooledDb;
  readonly strategies: Strategies;
  readonly postgres: ModelConnections;
  readonly redis: RedisLinks;
}

export interface ReplicaWorld {
  scheduler: Scheduler;
  network: Network;
  postgres: Postgres;
  redis: Redis;
  /** Told of every lease that a booking has got. */
  onLease: (lease: Lease, replica: Replica) => void;
}

/** So short that a pause outlasts it. */
const LOCK_TTL_MS = 600;
const LOCK_WAIT_MS = 3_000;
const LINGER_MS = 1_000;
const CONNECTIONS = 4;

export function startReplica(world: ReplicaWorld, name: string, process: Process): Replica {
  const { scheduler, network, onLease } = world;
  const postgres = connectPostgres(scheduler, network, world.postgres, process, CONNECTIONS);
  const redis = connectRedis(scheduler, network, world.redis, process);
  const db = limitWaits(postgres, { max: CONNECTIONS });
  const timers = createTimers(systemClock);
  const options = { clientId: name, tokenMemoryMs: 0 };

  function watched<L extends { acquire(name: string, options?: AcquireOptions): Promise<Lease> }>(
    locks: L,
  ): L {
    return {
      ...locks,
      async acquire(name: string, options?: AcquireOptions) {
        const lease = await locks.acquire(name, options);
        onLease(lease, replica);
        return lease;
      },
    };
  }

  function queueLock(part: string, lingerMs: number) {
    const { locks } = openQueueLock(
      { keyPrefix: '' },
      { ...options, unavailableAfterMs: REDIS_SILENCE_MS, lingerMs },
      (messages, { commandTimeoutMs }) => redis.openStore(`${name}-${part}`, commandTimeoutMs, messages),
      timers,
    );
    return watched({ ...locks, check: async () => [] });
  }

  const mayWait = Math.ceil(CONNECTIONS / 2);
  const rowWaits = createRowWaits(mayWait);
  const strategies = createStrategies({
    db,
    // For strategies in files, of which there are none.
    redis: undefined as never,
    instanceId: name,
    simpleLock: watched(openSimpleLock(redis.port, options, timers)),
    queueLock: queueLock('queue', 0),
    keptLock: queueLock('kept', LINGER_MS),
    quorumLock: null,
    bookTogether: createBookTogether(db, rowWaits, Math.max(1, CONNECTIONS - mayWait)),
    rowWaits,
    eventExists: createKnownEvents(db),
    lockTtlMs: LOCK_TTL_MS,
    lockWaitMs: LOCK_WAIT_MS,
    keyTtlMs: 60_000,
    onRetry: () => {},
    onReleaseFailed: () => {},
  });
  const replica: Replica = { name, process, db, strategies, postgres, redis };
  return replica;
}

/** What the servers of the locks are told of how the queue lock waits: its defaults. */
export const QUEUE_SETTINGS = { staleMs: 3_500, queueMemoryMs: 14_000, tokenMemoryMs: 0 };
