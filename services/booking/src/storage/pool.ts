import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';

import type { OutageLog } from '#src/outage-log.ts';
import { CONNECT_TIMEOUT_MS, QUERY_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, WIND_UP_MS } from '#src/time-limits.ts';

import { type Connection, type Connections, openConnections, type Query } from './connections.ts';
import { classifyFailure, isConnectionKept, NotSentError, PostgresBusyError } from './failure.ts';
import type { Database, Db } from './schema.ts';

/** Whoever finds that many before him is told so at once: the last of them would hardly get a connection in time. */
const MAX_WAITING = 4_096;

/** Distinct statements worth preparing: the service has some thirty. Beyond it is a bug, not a reason to grow. */
const MAX_PREPARED = 200;

export interface PoolOptions extends WaitLimits {
  url: string;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** For those who find each row by its key, and change it: see connections.ts. */
  isPlannedOnce?: boolean;
}

export interface WaitLimits {
  /** Connections. */
  max: number;
  /** How many may wait for a connection. */
  maxWaiting?: number;
  statementTimeoutMs?: number;
  /** Called with every statement; it runs it, and makes a span of it where traces are made. */
  aroundQuery?: AroundQuery | undefined;
  /** Told that no connection could be made, and that one was. One that breaks is replaced: that alone is no outage. */
  outages?: OutageLog | undefined;
}

export type AroundQuery = <T>(text: string, run: () => Promise<T>) => Promise<T>;

/** How many connections there are at this moment. */
export interface PoolUse {
  max: number;
  open: number;
  inUse: number;
  /** Who waits for one. */
  waiting: number;
}

/** What a query runs on, and the same for one request. */
export type PooledDb = Db & {
  use(): PoolUse;
  /** No wait for a connection, and no query, lasts beyond the deadline; after it nothing is sent but a rollback. */
  until(deadlineMs: number): Db;
};

export function openPool(options: PoolOptions): PooledDb {
  const { statementTimeoutMs = STATEMENT_TIMEOUT_MS, outages } = options;
  const pool = openConnections({ ...options, statementTimeoutMs, onConnected: outages?.back });
  return limitWaits(pool, options);
}

/**
 * Kysely on bounded connections, every wait limited. What it adds to them: one that broke or fell out of step (its query
 * timed out on our side and may still run) is never given to the next caller, and statements are prepared once per
 * connection.
 */
export function limitWaits(
  pool: Connections,
  {
    max,
    maxWaiting = MAX_WAITING,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    aroundQuery,
    outages,
  }: WaitLimits,
): PooledDb {
  const queryTimeoutMs = statementTimeoutMs + (QUERY_TIMEOUT_MS - STATEMENT_TIMEOUT_MS);

  async function connect(deadlineMs: number): Promise<PostgresPoolClient> {
    if (pool.waitingCount >= maxWaiting) {
      throw new PostgresBusyError(`${maxWaiting} others wait for a connection`);
    }
    const isFull = pool.totalCount >= max && pool.idleCount === 0;
    const client = await connectUntil(pool, deadlineMs).catch((error: Error & { code?: string }) => {
      // A refused or broken connection has a code; pg's own time-out in the queue for one has none.
      if (error instanceof PostgresBusyError) throw error;
      if (isFull && error.code === undefined)
        throw new PostgresBusyError(`no connection was free within ${CONNECT_TIMEOUT_MS} ms`, {
          cause: error,
        });
      if (!(error instanceof NotSentError)) outages?.lost(error);
      throw classifyFailure(error);
    });
    let isBroken = false;
    const timeoutOf = (text: string) => {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 && text !== 'rollback') throw new NotSentError('the next statement');
      return Math.ceil(Math.min(queryTimeoutMs, text === 'rollback' ? Math.max(leftMs, WIND_UP_MS) : leftMs));
    };
    return {
      // Kysely passes text and values; cursors, which the service does not use, would come as the only argument.
      query: (async (text: string, values: readonly unknown[]) => {
        if (isBroken) {
          // The server has done so by itself; an error here would hide the one that tells why.
          if (text === 'rollback') return { command: 'ROLLBACK', rowCount: 0, rows: [] };
          throw classifyFailure(new Error('the connection was lost'));
        }
        const timeoutMs = timeoutOf(text);
        try {
          const query = prepared(text, values, timeoutMs);
          if (aroundQuery === undefined) return await client.query(query);
          return await aroundQuery(text, () => client.query(query));
        } catch (error) {
          if (!isConnectionKept(error)) isBroken = true;
          throw classifyFailure(error);
        }
      }) as unknown as PostgresPoolClient['query'],
      release: (destroy) => client.release(destroy === true || isBroken),
    };
  }

  // One for each deadline, because Kysely passes nothing on to where a connection is taken. It costs a microsecond.
  const kyselyUntil = (deadlineMs: number) =>
    new Kysely<Database>({
      dialect: new PostgresDialect({
        pool: { connect: () => connect(deadlineMs), end: () => pool.end(), options: {} },
      }),
    });
  return Object.assign(kyselyUntil(Number.POSITIVE_INFINITY), {
    until: kyselyUntil,
    use: () => ({
      max,
      open: pool.totalCount,
      inUse: pool.totalCount - pool.idleCount,
      waiting: pool.waitingCount,
    }),
    // Kysely's own ends no pool that it has not used itself.
    destroy: () => pool.end(),
  });
}

/** The pool's own limit is for all alike; whoever has less time left waits for less. */
async function connectUntil(pool: Connections, deadlineMs: number): Promise<Connection> {
  const leftMs = deadlineMs - performance.now();
  if (leftMs <= 0) throw new NotSentError('there was a connection');
  const connecting = pool.connect();
  if (leftMs >= CONNECT_TIMEOUT_MS) return connecting;
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new NotSentError('there was a connection'));
    connecting.then((client) => client.release()).catch(() => {});
  }, leftMs);
  try {
    return await Promise.race([connecting, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

const names = new Map<string, string>();

function prepared(text: string, values: readonly unknown[], timeoutMs: number): Query {
  let name = names.get(text);
  if (name === undefined && values.length > 0 && names.size < MAX_PREPARED) {
    name = `s${names.size}`;
    names.set(text, name);
  }
  return { text, values, query_timeout: timeoutMs, ...(name === undefined ? {} : { name }) };
}
