import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import { Pool, type QueryConfig, TypeOverrides, types } from 'pg';

import {
  CONNECT_TIMEOUT_MS,
  IDLE_IN_TRANSACTION_MS,
  QUERY_TIMEOUT_MS,
  ROW_LOCK_TIMEOUT_MS,
  STATEMENT_TIMEOUT_MS,
} from '#src/time-limits.ts';

import { classifyFailure, isConnectionKept, PostgresBusyError } from './failure.ts';
import type { Database, Db } from './schema.ts';

/** Whoever finds that many before him is told so at once: the last of them would hardly get a connection in time. */
const MAX_WAITING = 4_096;

/** Distinct statements worth preparing: the service has some thirty. Beyond it is a bug, not a reason to grow. */
const MAX_PREPARED = 200;

export interface PoolOptions {
  url: string;
  max: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** How many may wait for a connection. */
  maxWaiting?: number;
  statementTimeoutMs?: number;
  /** Called when an idle connection breaks: not an error of any request, the pool replaces it. */
  onConnectionLost?: (error: Error) => void;
}

/**
 * Kysely on a bounded pool, every wait limited. What it adds to pg: a connection that broke or fell out of step
 * (its query timed out on our side and may still run) is never given to the next caller, and statements are
 * prepared once per connection.
 */
export function openPool(options: PoolOptions): Db {
  const { url, max, maxWaiting = MAX_WAITING, applicationName, onConnectionLost } = options;
  const { statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const pool = new Pool({
    connectionString: url,
    max,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: Math.min(ROW_LOCK_TIMEOUT_MS, statementTimeoutMs),
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + (QUERY_TIMEOUT_MS - STATEMENT_TIMEOUT_MS),
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    types: parsers,
  });
  pool.on('error', (error) => onConnectionLost?.(error));
  // A connection that breaks while it is checked out says so on itself. Its query fails too, and that is how we hear
  // of it; but an 'error' event without a listener would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));

  async function connect(): Promise<PostgresPoolClient> {
    if (pool.waitingCount >= maxWaiting) {
      throw new PostgresBusyError(`${maxWaiting} others wait for a connection`);
    }
    const isFull = pool.totalCount >= max && pool.idleCount === 0;
    const client = await pool.connect().catch((error: Error & { code?: string }) => {
      // A refused or broken connection has a code; pg's own time-out in the queue for one has none.
      throw isFull && error.code === undefined
        ? new PostgresBusyError(`no connection was free within ${CONNECT_TIMEOUT_MS} ms`, { cause: error })
        : classifyFailure(error);
    });
    let isBroken = false;
    return {
      // Kysely passes text and values; cursors, which the service does not use, would come as the only argument.
      query: (async (text: string, values: readonly unknown[]) => {
        if (isBroken) {
          // The server has done so by itself; an error here would hide the one that tells why.
          if (text === 'rollback') return { command: 'ROLLBACK', rowCount: 0, rows: [] };
          throw classifyFailure(new Error('the connection was lost'));
        }
        try {
          return await client.query(prepared(text, values));
        } catch (error) {
          if (!isConnectionKept(error)) isBroken = true;
          throw classifyFailure(error);
        }
      }) as unknown as PostgresPoolClient['query'],
      release: (destroy) => client.release(destroy === true || isBroken),
    };
  }

  return new Kysely<Database>({
    dialect: new PostgresDialect({ pool: { connect, end: () => pool.end(), options: pool.options } }),
  });
}

const names = new Map<string, string>();

function prepared(text: string, values: readonly unknown[]): QueryConfig {
  let name = names.get(text);
  if (name === undefined && values.length > 0 && names.size < MAX_PREPARED) {
    name = `s${names.size}`;
    names.set(text, name);
  }
  return { text, values: values as unknown[], ...(name === undefined ? {} : { name }) };
}

/** bigint columns (fencing tokens, versions, sums) are safe integers here, and pg's default is a string. */
const parsers = new TypeOverrides();
parsers.setTypeParser(types.builtins.INT8, Number);
