import type { LockEvent, LockEventListener } from '@lastseat/locking';
import { Counter, Histogram, type Registry } from 'prom-client';

import type { StrategyName } from '#src/contract.ts';

type Why<Type> = Extract<LockEvent, { type: Type; why: string }>['why'];

const LOSSES: Why<'lost'>[] = ['deadline', 'max-hold', 'gone', 'taken', 'closed'];
const REFUSALS: Why<'refused'>[] = ['timeout', 'aborted', 'unavailable'];

/** The events of the locks, counted under the strategy that books under each. */
export function createLockMetrics(
  registry: Registry,
  secondsBuckets: number[],
): (strategy: StrategyName) => LockEventListener {
  const registers = [registry];
  const waits = new Histogram({
    name: 'lastseat_lock_wait_seconds',
    help: 'Waits for a lock that ended with it. It was free, came by the queue from another replica, from a caller before in this one (tenure), or had been kept (linger).',
    labelNames: ['strategy', 'from'] as const,
    buckets: secondsBuckets,
    registers,
  });
  const holds = new Histogram({
    name: 'lastseat_lock_held_seconds',
    help: 'How long a caller held a lock, until it released or lost it.',
    labelNames: ['strategy'] as const,
    buckets: secondsBuckets,
    registers,
  });
  const handOvers = new Counter({
    name: 'lastseat_lock_hand_overs_total',
    help: 'Locks that this replica handed to a waiter of another one.',
    labelNames: ['strategy'] as const,
    registers,
  });
  const losses = new Counter({
    name: 'lastseat_lock_losses_total',
    help: 'Leases that ended before they were released.',
    labelNames: ['strategy', 'why'] as const,
    registers,
  });
  const refusals = new Counter({
    name: 'lastseat_lock_refusals_total',
    help: 'Waits for a lock that ended without it.',
    labelNames: ['strategy', 'why'] as const,
    registers,
  });
  const failedRenewals = new Counter({
    name: 'lastseat_lock_failed_renewals_total',
    help: 'Renewals of a lease that Redis did not answer; they are repeated until its deadline.',
    labelNames: ['strategy'] as const,
    registers,
  });
  const roundTrips = new Histogram({
    name: 'lastseat_lock_round_trip_seconds',
    help: 'From the call of a script in Redis to its answer.',
    labelNames: ['script'] as const,
    buckets: secondsBuckets,
    registers,
  });

  return (strategy) => {
    const held = holds.labels(strategy);
    const handedOver = handOvers.labels(strategy);
    // What seldom happens is there from the beginning: of a counter that appears with 1 nobody sees it grow.
    for (const why of LOSSES) losses.inc({ strategy, why }, 0);
    for (const why of REFUSALS) refusals.inc({ strategy, why }, 0);
    for (const counter of [handOvers, failedRenewals]) counter.inc({ strategy }, 0);
    return (event: LockEvent) => {
      if (event.type === 'granted') waits.observe({ strategy, from: event.from }, event.waitMs / 1_000);
      else if (event.type === 'released') held.observe(event.heldMs / 1_000);
      else if (event.type === 'round-trip')
        roundTrips.observe({ script: event.script }, event.tookMs / 1_000);
      else if (event.type === 'handed-over') handedOver.inc();
      else if (event.type === 'refused') refusals.inc({ strategy, why: event.why });
      else if (event.type === 'renewal-failed') failedRenewals.inc({ strategy });
      else if (event.type === 'lost') losses.inc({ strategy, why: event.why });
    };
  };
}
