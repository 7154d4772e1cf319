import { startStack, type BenchStack } from '../bench/stack/start-stack.ts';
import { replicasOf, type Replicas } from '../faults/replicas.ts';
import type { Target } from '../target.ts';
import { openOracle, type Oracle } from '../truth.ts';

/** A stack of its own, whose replicas have loaded the files: what an attack strikes, and what it asks. */
export interface Arena extends AsyncDisposable {
  stack: BenchStack;
  replicas: Replicas;
  oracle: Oracle;
  target: Target;
  /** How many replicas there are, when all are up. */
  size: number;
  /** Ctrl-C. */
  signal: AbortSignal;
}

/** Three: while one or two are paused, there is one left to sell. */
export const REPLICAS = 3;

/** A pause has to be longer than a lease, and a request waits no longer than eight seconds: leases are short here. */
export const LEASE_MS = 1_000;

export interface ArenaOptions {
  files: readonly string[];
  runtime?: 'native' | 'docker' | undefined;
  lockWaitMs?: number;
  signal: AbortSignal;
}

export async function openArena({ files, runtime, lockWaitMs, signal }: ArenaOptions): Promise<Arena> {
  await using resources = new AsyncDisposableStack();
  const stack = resources.use(
    await startStack(
      { ...process.env, ...(runtime && { RUNTIME: runtime }) },
      {
        replicas: REPLICAS,
        quorum: 0,
        settings: {
          LOCK_TTL_MS: String(LEASE_MS),
          ...(lockWaitMs !== undefined && { LOCK_WAIT_MS: String(lockWaitMs) }),
        },
        labStrategies: files,
      },
    ),
  );
  signal.throwIfAborted();
  const oracle = resources.use(await openOracle(stack.postgresUrl));
  const kept = resources.move();
  return {
    stack,
    replicas: replicasOf(stack),
    oracle,
    target: { ...stack, replicas: REPLICAS, hasQuorum: false },
    size: REPLICAS,
    signal,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
