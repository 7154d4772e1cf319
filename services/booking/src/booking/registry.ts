import type { StrategyName } from '#src/contract.ts';
import { createBookingFinder } from '#src/storage/booking-finder.ts';

import { endHoldsFirst } from './end-holds-first.ts';
import { makeLabStrategies, type LabStrategyDeps, type LabStrategyFile } from './lab-strategies.ts';
import { oncePerRequest } from './once-per-request.ts';
import { advisoryLock } from './strategies/advisory-lock.ts';
import { atomicUpdate } from './strategies/atomic-update.ts';
import { batchedLock } from './strategies/batched-lock.ts';
import { batchedUpdate } from './strategies/batched-update.ts';
import { fencedLock } from './strategies/fenced-lock.ts';
import { noLock } from './strategies/no-lock.ts';
import { optimistic } from './strategies/optimistic.ts';
import { quorumLock } from './strategies/quorum-lock.ts';
import { rowLock } from './strategies/row-lock.ts';
import { serializable } from './strategies/serializable.ts';
import { simpleLock } from './strategies/simple-lock.ts';
import type { Strategy, StrategyDeps } from './strategy.ts';

/** Every strategy there is. A name in the contract without an entry here does not compile. */
const strategies = {
  'no-lock': noLock,
  'simple-lock': simpleLock,
  'fenced-lock': fencedLock,
  'quorum-lock': quorumLock,
  'batched-lock': batchedLock,
  'batched-update': batchedUpdate,
  'atomic-update': atomicUpdate,
  'row-lock': rowLock,
  optimistic,
  serializable,
  'advisory-lock': advisoryLock,
} satisfies Record<StrategyName, (deps: StrategyDeps) => Strategy>;

/** What books when a request names no strategy. */
export const DEFAULT_STRATEGY: StrategyName = 'batched-update';

export type Strategies = ReadonlyMap<string, Strategy>;

/** @throws ConfigError if what a file of the lab makes is no strategy */
export function createStrategies(
  deps: LabStrategyDeps & { keyTtlMs: number; labStrategies?: readonly LabStrategyFile[] },
): Strategies {
  const once = { ...deps, finder: createBookingFinder(deps.db) };
  const endsHolds = endHoldsFirst(deps.db);
  const ours = Object.values(strategies).map((create) => create(deps));
  const ofFiles = makeLabStrategies(deps.labStrategies ?? [], deps);
  return new Map(
    [...ours, ...ofFiles].map((strategy) => [strategy.name, oncePerRequest(endsHolds(strategy), once)]),
  );
}
