import { COMMIT_CYCLE_BATCH, type PartCosts, type PerBatch } from './fit.ts';
import { LARGEST_BATCH } from './model.ts';

/**
 * What the same costs come to where nginx, replicas, Postgres and Redis have machines of their own. Nothing of it has been
 * measured: it takes the processor time of each part from two shared cores, and knows no network, no kernel that is busy
 * with packets, and no disk but the one of that machine.
 */

/** The share of a replica's one core, and of any core, that is to be used: beyond it waits grow fast. */
export const BUSY = 0.7;

/** Of one replica: PG_POOL_MAX, and its connections for reads and for probes (services/booking, pools.ts). */
export const CONNECTIONS_OF_A_REPLICA = 6 + 2 + 1;

/** What Postgres has room for (infra/postgres/postgresql.conf). */
export const MOST_CONNECTIONS = 300;

/** Of a machine for Postgres: what one has to stand for a shard. */
export const CORES_OF_A_SHARD = 16;

/**
 * The batch of a replica that works `BUSY` of its time. In each cycle it waits for one commit and has the work of one
 * batch; what arrives meanwhile is the next one.
 */
export function steadyBatch({ replica, commitCycleUs }: PartCosts): number {
  const workUs = (BUSY / (1 - BUSY)) * commitCycleUs;
  return Math.min(LARGEST_BATCH, Math.max(1, (workUs - replica.batchUs) / replica.rowUs));
}

export interface Cluster {
  replicas: number;
  perS: number;
  batch: number;
  nginxCores: number;
  postgresCores: number;
  shards: number;
  connections: number;
}

/** So many replicas, each as busy as it is to be, and the events spread over them, each at its home. */
export function clusterOf(costs: PartCosts, replicas: number): Cluster {
  const batch = steadyBatch(costs);
  const perS = (replicas * BUSY * 1e6) / eachUs(costs.replica, batch);
  return { replicas, perS, batch, ...serversFor(costs, perS, batch, replicas) };
}

/** As many replicas as it takes for so many bookings, and the servers behind them. */
export function clusterFor(costs: PartCosts, perS: number): Cluster {
  const batch = steadyBatch(costs);
  const replicas = Math.ceil((perS * eachUs(costs.replica, batch)) / 1e6 / BUSY);
  return { replicas, perS, batch, ...serversFor(costs, perS, batch, replicas) };
}

function serversFor(costs: PartCosts, perS: number, batch: number, replicas: number) {
  const postgresCores = (perS * eachUs(costs.postgres, batch)) / 1e6 / BUSY;
  return {
    nginxCores: (perS * costs.nginxUs) / 1e6 / BUSY,
    postgresCores,
    shards: Math.ceil(postgresCores / CORES_OF_A_SHARD),
    connections: replicas * CONNECTIONS_OF_A_REPLICA,
  };
}

/**
 * What refusals take: no row and no commit, but each batch of them is one statement that finds nothing left, so that a
 * refusal is true when it is given. At most what a batch of bookings takes.
 */
export function refusalCores(
  costs: PartCosts,
  perS: number,
): { nginx: number; replicas: number; postgres: number } {
  const { nginxUs, requestUs, replica, postgres } = costs;
  const batch = steadyBatch(costs);
  const cores = (us: number): number => (perS * us) / 1e6 / BUSY;
  return {
    nginx: cores(nginxUs),
    replicas: cores(requestUs + replica.batchUs / batch),
    postgres: cores(postgres.batchUs / batch),
  };
}

/** One event sells no faster than its row is locked and committed, batch after batch, whoever writes them. */
export function hotEventPerS({ postgres, commitCycleUs }: PartCosts, batch: number): number {
  return (batch * 1e6) / (commitCycleUs + (batch - COMMIT_CYCLE_BATCH) * postgres.rowUs);
}

/** What one Redis can hand over, which works on one core, and nothing else. */
export function handOversPerS({ handOverUs }: PartCosts): number {
  return (BUSY * 1e6) / handOverUs;
}

/**
 * How long a buyer waits who comes by himself: for the batch under way, half of it on average, and for his own, stretched
 * as the queue for a server stretches it that is busy for that share of its time (M/M/1).
 */
export function waitOfOneMs({ replica, commitCycleUs }: PartCosts, batch: number, busy: number): number {
  const workUs = eachUs(replica, batch) * batch;
  return (1.5 * (commitCycleUs + workUs / (1 - busy))) / 1e3;
}

function eachUs({ rowUs, batchUs }: PerBatch, batch: number): number {
  return rowUs + batchUs / batch;
}
