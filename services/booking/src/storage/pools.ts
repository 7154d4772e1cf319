import { openPool, type PooledDb, type PoolOptions, type PoolUse } from './pool.ts';
import type { Db } from './schema.ts';

/**
 * The connections of one replica, by what they are for: whoever looks on takes none from those who sell, and a probe
 * finds one however busy the others are. All together they must leave room in Postgres's `max_connections`
 * (infra/postgres/postgresql.conf) with as many replicas as there may be.
 */
export interface Pools {
  /** Bookings, cancellations, and whatever else changes an event. */
  sales: PooledDb;
  reads: Db;
  probes: Db;
  use(): Record<'sales' | 'reads' | 'probes', PoolUse>;
  close(): Promise<void>;
}

/** Reads are a fraction of a millisecond, except the recounts of the lab; those shall not have all of it. */
export const READ_CONNECTIONS = 2;
export const PROBE_CONNECTIONS = 1;

/** Reads that may wait for a connection, some 50 ms long; later ones are told at once to come back. */
const MAX_READS_WAITING = 256;

/** Probers come one by one; more than this is a crowd, and none of our business. */
const MAX_PROBES_WAITING = 16;

export function openPools({
  sales,
  probeTimeoutMs,
  ...common
}: Omit<PoolOptions, 'max'> & { sales: number; probeTimeoutMs: number }): Pools {
  const pools = {
    sales: openPool({ ...common, max: sales, isPlannedOnce: true }),
    reads: openPool({ ...common, max: READ_CONNECTIONS, maxWaiting: MAX_READS_WAITING }),
    probes: openPool({
      ...common,
      max: PROBE_CONNECTIONS,
      maxWaiting: MAX_PROBES_WAITING,
      statementTimeoutMs: probeTimeoutMs,
    }),
  };
  return {
    ...pools,
    use: () => ({ sales: pools.sales.use(), reads: pools.reads.use(), probes: pools.probes.use() }),
    async close() {
      await Promise.all(Object.values(pools).map((pool) => pool.destroy()));
    },
  };
}
