import {
  createQueueLock,
  createQuorumLock,
  createSimpleLock,
  type LockEventListener,
  type Locks,
  type ServerFinding,
} from '@lastseat/locking';
import { sql } from 'kysely';
import type { Logger } from 'pino';

import { createBookTogether } from '#src/booking/batching/book-together.ts';
import { createRowWaits } from '#src/booking/batching/row-waits.ts';
import { createKnownEvents } from '#src/booking/known-events.ts';
import type { LabStrategyFile } from '#src/booking/lab-strategies.ts';
import { createStrategies, type Strategies } from '#src/booking/registry.ts';
import type { Config } from '#src/config.ts';
import type { StrategyName } from '#src/contract.ts';
import type { FailedCheck } from '#src/http/health-routes.ts';
import { createOutageLog } from '#src/outage-log.ts';
import { closeRedis, openRedis } from '#src/redis.ts';
import { findMissingMigrations } from '#src/storage/migrate.ts';
import type { AroundQuery, PooledDb } from '#src/storage/pool.ts';
import { openPools, type Pools } from '#src/storage/pools.ts';
import type { Db } from '#src/storage/schema.ts';
import { CLOSE_TIMEOUT_MS, PING_TIMEOUT_MS, REDIS_SILENCE_MS } from '#src/time-limits.ts';

/**
 * Everything that a replica holds open. Opening it waits for nothing: Postgres and Redis may be away now and later,
 * the clients come back by themselves, and until then readiness and bookings say so.
 */
export interface Context extends AsyncDisposable {
  /** For what changes something. */
  db: PooledDb;
  /** For what only looks. */
  reads: Db;
  strategies: Strategies;
  isQuorumConfigured: boolean;
  /** How many attempts this replica has had to repeat. */
  retriesOf: (strategy: string) => number;
  /** What keeps this replica from booking, found out by asking Postgres and Redis. */
  failedChecks: () => Promise<FailedCheck[]>;
  /** Connections to Postgres, by what they are for. */
  poolUse: Pools['use'];
  /** Whose replica audits for all. */
  auditLock: Locks;
}

/** Who watches. All are called at once, while a booking is made: count and return. */
export interface Watch {
  onBatch?: (strategy: StrategyName, size: number) => void;
  /** The listener for the lock of a strategy. */
  onLockEventOf?: (strategy: StrategyName) => LockEventListener;
  /** Runs a statement, and makes a span of it. */
  aroundQuery?: AroundQuery;
  /** Waits for a lock, and makes a span of it. */
  aroundLock?: <T>(name: string, acquire: () => Promise<T>) => Promise<T>;
}

/**
 * How long a replica keeps the lock of an event that it has booked: longer than the pauses between bookings of an event
 * that sells, so that they cost no word to Redis. One that dies meanwhile blocks it for its TTL.
 */
const LINGER_MS = 1_000;

/** @throws ConfigError if what one of the files makes is no strategy */
export function openContext(
  config: Config,
  log: Logger,
  { labStrategies = [], ...watch }: Watch & { labStrategies?: readonly LabStrategyFile[] } = {},
): Context {
  const { instanceId, lockTtlMs, lockWaitMs } = config;
  const pools = openPools({
    url: config.databaseUrl,
    sales: config.pgPoolMax,
    probeTimeoutMs: PING_TIMEOUT_MS,
    // Exactly: it is how an observer tells in Postgres which replica asked.
    applicationName: instanceId,
    aroundQuery: watch.aroundQuery,
    outages: createOutageLog(log, 'Postgres'),
  });
  const redis = openRedis(config.redis, log.child({ server: 'redis' }));
  const quorum = config.quorumRedisUrls.map((url, i) =>
    openRedis({ url }, log.child({ server: `quorum-${i + 1}` })),
  );

  // Redis need not remember tokens: Postgres does, and whoever is refused by its fence comes again with `tokenAbove`.
  const lockOptions = { clientId: instanceId, tokenMemoryMs: 0 };
  const watched = (strategy: StrategyName) => ({ onEvent: watch.onLockEventOf?.(strategy) });
  const simpleLock = createSimpleLock(redis, { ...lockOptions, ...watched('simple-lock') });
  const queueOptions = { ...lockOptions, unavailableAfterMs: REDIS_SILENCE_MS };
  const queueLock = createQueueLock(redis, { ...queueOptions, ...watched('fenced-lock') });
  const keptOptions = { ...queueOptions, lingerMs: LINGER_MS, ...watched('batched-lock') };
  const keptLock = createQueueLock(redis, keptOptions);
  const quorumLock =
    quorum.length === 0
      ? null
      : createQuorumLock(quorum, { clientId: instanceId, ...watched('quorum-lock') });
  const auditLock = createSimpleLock(redis, { clientId: instanceId, keyPrefix: 'audit-lock:' });
  const locks: Locks[] = [
    simpleLock,
    queueLock,
    keptLock,
    auditLock,
    ...(quorumLock === null ? [] : [quorumLock]),
  ];

  const traced = <L extends Pick<Locks, 'acquire'>>(locks: L, name: string): L => {
    const { aroundLock } = watch;
    if (aroundLock === undefined) return locks;
    return { ...locks, acquire: (event, options) => aroundLock(name, () => locks.acquire(event, options)) };
  };

  // A Redis that evicts keys would lose locks; better said now than found out then.
  redis.once('ready', () => void queueLock.check().then((findings) => logFindings(log, findings)));
  for (const [index, client] of quorum.entries()) {
    client.once('ready', () => {
      // Of this one only: the others may not be ready yet, and are asked when they are.
      void quorumLock?.check().then((findings) => {
        const ofThisOne = findings.filter(({ server }) => server === index);
        logFindings(log, ofThisOne);
      });
    });
  }

  // Of the connections one half may wait for rows, the other half books what is free.
  const mayWait = Math.ceil(config.pgPoolMax / 2);
  const rowWaits = createRowWaits(mayWait);
  const retries = new Map<string, number>();
  const retriesOf = (strategy: string) => retries.get(strategy) ?? 0;

  const { sales: db, reads, probes } = pools;
  const askPostgres = createPostgresCheck(probes);
  return {
    db,
    reads,
    strategies: createStrategies({
      db,
      redis,
      labStrategies,
      instanceId,
      simpleLock: traced(simpleLock, 'simple lock'),
      queueLock: traced(queueLock, 'queue lock'),
      keptLock: traced(keptLock, 'queue lock'),
      bookTogether: createBookTogether(db, rowWaits, Math.max(1, config.pgPoolMax - mayWait)),
      rowWaits,
      eventExists: createKnownEvents(db),
      quorumLock: quorumLock && traced(quorumLock, 'quorum lock'),
      lockTtlMs,
      lockWaitMs,
      keyTtlMs: config.keyTtlMs,
      onRetry: (strategy) => retries.set(strategy, retriesOf(strategy) + 1),
      onBatch: watch.onBatch,
      onReleaseFailed: (err) => log.debug({ err }, 'a lease could not be given back; it ends with its TTL'),
    }),
    isQuorumConfigured: quorumLock !== null,
    retriesOf,
    poolUse: pools.use,
    auditLock,
    async failedChecks() {
      const found = await Promise.all([
        failedCheckOf('Postgres', askPostgres()),
        failedCheckOf(
          'Redis',
          redis.ping().then(() => null),
        ),
      ]);
      return found.filter((check) => check !== null);
    },
    async [Symbol.asyncDispose]() {
      const closeLocks = Promise.all(locks.map(async (lock) => lock[Symbol.asyncDispose]()));
      await failureWithin(closeLocks, CLOSE_TIMEOUT_MS);
      for (const client of [redis, ...quorum]) closeRedis(client);
      await failureWithin(pools.close(), CLOSE_TIMEOUT_MS);
    },
  };
}

function logFindings(log: Logger, findings: readonly ServerFinding[]): void {
  for (const finding of findings) {
    if (finding.level === 'error') log.error({ finding }, 'this Redis is not fit to keep locks');
    else log.warn({ finding }, 'this Redis may not be fit to keep locks');
  }
}

/**
 * Nobody starts the replicas after the migration where a cluster starts everything at once: each of them is not ready
 * until it has seen the schema that it needs. Schemas only grow, so that it needs to see it once.
 */
function createPostgresCheck(probes: Db): () => Promise<string | null> {
  let isMigrated = false;
  return async () => {
    if (isMigrated) {
      await sql`select 1`.execute(probes);
      return null;
    }
    const missing = await findMissingMigrations(probes);
    isMigrated = missing.length === 0;
    return isMigrated ? null : `the schema lacks ${missing.join(', ')}`;
  };
}

/** A server that answers may say itself what is in the way. */
async function failedCheckOf(server: string, answer: Promise<string | null>): Promise<FailedCheck | null> {
  const cause = await failureWithin(answer, PING_TIMEOUT_MS);
  if (cause !== undefined) return { what: `${server} gives no answer`, cause };
  const what = await answer;
  return what === null ? null : { what };
}

/** Why it was not fulfilled in time; undefined if it was. */
async function failureWithin(answer: Promise<unknown>, timeoutMs: number): Promise<unknown> {
  const { promise: tooLate, resolve } = Promise.withResolvers<Error>();
  const timer = setTimeout(() => resolve(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const failure = await Promise.race([
    answer.then(
      () => undefined,
      (error: unknown) => error,
    ),
    tooLate,
  ]);
  clearTimeout(timer);
  return failure;
}
