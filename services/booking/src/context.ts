import { createSimpleLock } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import type { Logger } from 'pino';

import { createStrategies, type Strategies } from '#src/booking/registry.ts';
import type { Config } from '#src/config.ts';
import type { StrategyName } from '#src/contract.ts';
import { openPool } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';

/**
 * Everything that a replica holds open. Opening it waits for nothing: Postgres and Redis may be away now and later,
 * the clients come back by themselves, and until then readiness and bookings say so.
 */
export interface Context extends AsyncDisposable {
  db: Db;
  strategies: Strategies;
  retriesOf: (strategy: StrategyName) => number;
  /** What keeps this replica from booking, found out by asking Postgres and Redis. */
  findObstacles: () => Promise<string[]>;
}

/** A health check has to answer while its prober still listens. */
const PING_TIMEOUT_MS = 1_500;

/** Longest pause between two tries to reach Redis again: what an outage may last longer than it did. */
const LONGEST_REDIS_PAUSE_MS = 1_000;

const REDIS_CONNECT_TIMEOUT_MS = 2_000;

/** Closing is polite, but a hung server must not keep the process. */
const CLOSE_TIMEOUT_MS = 2_000;

export function openContext(config: Config, log: Logger): Context {
  const db = openPool({
    url: config.databaseUrl,
    max: config.pgPoolMax,
    applicationName: config.instanceId,
    onConnectionLost: (err) => log.warn({ err }, 'an idle connection to Postgres was lost'),
  });
  const redis = openRedis(config.redisUrl, log.child({ server: 'redis' }));
  const quorumRedises = config.quorumRedisUrls.map((url, index) =>
    openRedis(url, log.child({ server: `quorum-${index}` })),
  );

  const retries = new Map<StrategyName, number>();
  const retriesOf = (strategy: StrategyName) => retries.get(strategy) ?? 0;

  const simpleLock = createSimpleLock(redis);
  const strategies = createStrategies({
    db,
    instanceId: config.instanceId,
    simpleLock,
    queueLock: simpleLock,
    quorumLock: null,
    lockTtlMs: config.lockTtlMs,
    lockWaitMs: config.lockWaitMs,
    onRetry: (strategy) => retries.set(strategy, retriesOf(strategy) + 1),
    onReleaseFailed: (err) => log.debug({ err }, 'a lease could not be given back; it ends with its TTL'),
  });

  return {
    db,
    strategies,
    retriesOf,
    async findObstacles() {
      const obstacles = await Promise.all([
        obstacle('Postgres', sql`select 1`.execute(db)),
        obstacle('Redis', redis.ping()),
      ]);
      return obstacles.filter((found) => found !== null);
    },
    async [Symbol.asyncDispose]() {
      await bounded(simpleLock[Symbol.asyncDispose](), CLOSE_TIMEOUT_MS).catch(() => {});
      for (const client of [redis, ...quorumRedises]) client.disconnect();
      await bounded(db.destroy(), CLOSE_TIMEOUT_MS).catch(() => {});
    },
  };
}

function openRedis(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    connectTimeout: REDIS_CONNECT_TIMEOUT_MS,
    // A command that cannot be sent now fails now: one that waited would take a lock for somebody who has long gone.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    // Jitter, because all replicas lose the server at the same moment.
    retryStrategy: (attempt) =>
      Math.min(LONGEST_REDIS_PAUSE_MS, 50 * 2 ** attempt) * (0.5 + Math.random() / 2),
  });
  let isDown = false;
  redis.on('ready', () => {
    if (isDown) log.info('Redis is back');
    isDown = false;
  });
  // Once per outage, not once per try.
  redis.on('error', (err: Error) => {
    if (!isDown) log.warn({ err }, 'Redis is out of reach');
    isDown = true;
  });
  return redis;
}

async function obstacle(name: string, ping: Promise<unknown>): Promise<string | null> {
  try {
    await bounded(ping, PING_TIMEOUT_MS);
    return null;
  } catch {
    return `${name} gives no answer`;
  }
}

async function bounded<T>(promise: PromiseLike<T>, timeoutMs: number): Promise<T> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([promise, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
