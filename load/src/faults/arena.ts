import type { Cluster, LinkKind } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';

import { startStack, type BenchStack } from '../bench/stack/start-stack.ts';
import type { Target } from '../target.ts';
import { openOracle, type Oracle } from '../truth.ts';
import { clusterOfStack, postgresFinder, replicasOf, type Replicas } from './replicas.ts';

/** A stack of its own: what a drill or an attack strikes, and what it asks. */
export interface Arena extends AsyncDisposable {
  stack: BenchStack;
  cluster: Cluster;
  replicas: Replicas;
  oracle: Oracle;
  target: Target;
  /** The target as it is after a fault, which may have moved Postgres. */
  targetNow(): Promise<Target>;
  /** How many replicas there are, when all are up. */
  size: number;
  /** Ctrl-C. */
  signal: AbortSignal;
}

/** Three: while one or two are paused, there is one left to sell. */
export const REPLICAS = 3;

/** A pause has to be longer than a lease, and a request waits no longer than eight seconds: leases are short here. */
export const LEASE_MS = 2_000;

// Bookings that are held hold connections: those of one guard are not to keep out those of another.
const POOL = 40;

// The smallest, and what docker-compose.yml has.
const QUORUM = 3;

export interface ArenaOptions {
  /** Files of strategies that the replicas are to load. */
  files?: readonly string[];
  runtime?: 'native' | 'docker' | undefined;
  /** Three more Redis servers, for the quorum lock. */
  hasQuorum?: boolean;
  /** Where proxies are to stand. */
  links?: readonly LinkKind[];
  /** Three each of Redis and Postgres. */
  ha?: boolean;
  /** The clocks of the replicas can be set. */
  clocks?: boolean;
  leaseMs?: number;
  lockWaitMs?: number;
  signal: AbortSignal;
}

export async function openArena(options: ArenaOptions): Promise<Arena> {
  const { signal } = options;
  await using resources = new AsyncDisposableStack();
  const stack = resources.use(await start(options));
  signal.throwIfAborted();
  const oracle = resources.use(await openOracle(stack.postgresUrl));
  const cluster = clusterOfStack(stack);
  const target = { ...stack, replicas: REPLICAS, hasQuorum: options.hasQuorum ?? false };
  const findPostgres = postgresFinder(cluster, stack);
  const kept = resources.move();
  return {
    stack,
    cluster,
    replicas: replicasOf(cluster),
    oracle,
    target,
    targetNow: async () => ({ ...target, postgresUrl: await findPostgres() }),
    size: REPLICAS,
    signal,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Ctrl-C also reaches the servers that are just being started: that they fail then is no news. */
async function start({
  files = [],
  runtime,
  hasQuorum = false,
  links = [],
  ha = false,
  clocks = false,
  leaseMs = LEASE_MS,
  lockWaitMs,
  signal,
}: ArenaOptions) {
  try {
    return await startStack(
      { ...process.env, ...(runtime && { RUNTIME: runtime }) },
      {
        replicas: REPLICAS,
        links,
        ha,
        clocks,
        quorum: hasQuorum ? QUORUM : 0,
        settings: {
          LOCK_TTL_MS: String(leaseMs),
          PG_POOL_MAX: String(POOL),
          ...(lockWaitMs !== undefined && { LOCK_WAIT_MS: String(lockWaitMs) }),
        },
        labStrategies: files,
      },
    );
  } catch (error) {
    if (signal.aborted) throw new UserError('interrupted', { cause: error });
    throw error;
  }
}
