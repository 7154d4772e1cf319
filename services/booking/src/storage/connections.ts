import { Pool, TypeOverrides, types } from 'pg';

import {
  CONNECT_TIMEOUT_MS,
  IDLE_IN_TRANSACTION_MS,
  QUERY_TIMEOUT_MS,
  ROW_LOCK_TIMEOUT_MS,
  STATEMENT_TIMEOUT_MS,
} from '#src/time-limits.ts';

/** All that storage needs of a driver, and of Postgres: a bounded number of connections, and statements sent over them. */
export interface Connections {
  readonly totalCount: number;
  readonly idleCount: number;
  /** Who waits for one. */
  readonly waitingCount: number;
  /** Waits `CONNECT_TIMEOUT_MS` at most. Rejects with a `code` if the server or the network said no. */
  connect(): Promise<Connection>;
  end(): Promise<void>;
}

export interface Connection {
  /** Rejects with the server's error, its SQLSTATE in `code`; or with any other error, and then nobody knows what it did. */
  query(query: Query): Promise<Result>;
  /** @param destroy it is broken, and closed instead of kept for the next one */
  release(destroy?: boolean): void;
}

/** As the driver has it. */
export interface Query {
  text: string;
  values: readonly unknown[];
  /** The same for the same text: prepared under it, once per connection. */
  name?: string;
  /** What the client waits at most. The server may go on. */
  query_timeout: number;
}

export interface Result {
  command: string;
  rowCount: number | null;
  rows: unknown[];
}

export interface ConnectionsOptions {
  url: string;
  max: number;
  applicationName: string;
  statementTimeoutMs: number;
  /** Each statement gets one plan for all its parameters: see `PLANNED_ONCE`. */
  isPlannedOnce?: boolean;
  /** Called when there is a new connection. */
  onConnected?: (() => void) | undefined;
}

/**
 * What a long array makes Postgres expect is many rows, and then it plans a batch anew each time, which takes longer than
 * to book it (32 bookings: 0.5 of 1.2 ms; with limits 1.4 of 2.6). A plan that is kept must be right for tables that grow:
 * by an index, also if it was made when they were empty.
 */
const PLANNED_ONCE = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off';

export function openConnections(options: ConnectionsOptions): Connections {
  const { url, max, applicationName, statementTimeoutMs, isPlannedOnce = false, onConnected } = options;
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
    ...(isPlannedOnce && { options: PLANNED_ONCE }),
    types: parsers,
  });
  // One that breaks while it is idle is replaced. One that breaks while it is checked out says so on itself; its query
  // fails too, and that is how we hear of it. But an 'error' event without a listener would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    onConnected?.();
  });
  return {
    get totalCount() {
      return pool.totalCount;
    },
    get idleCount() {
      return pool.idleCount;
    },
    get waitingCount() {
      return pool.waitingCount;
    },
    async connect() {
      const client = await pool.connect();
      return {
        // pg's types lack the time-out of a single query.
        query: (query) => client.query({ ...query, values: query.values as unknown[] }),
        release: (destroy) => client.release(destroy),
      };
    },
    end: () => pool.end(),
  };
}

/** bigint columns (fencing tokens, versions, sums) are safe integers here, and pg's default is a string. */
const parsers = new TypeOverrides();
parsers.setTypeParser(types.builtins.INT8, Number);
