import { percentile } from '@lastseat/lab-frame/statistics.ts';

import { findViolations, handOvers } from './exclusivity.ts';
import { whyFailed, type Failures } from './failures.ts';
import { jainIndex } from './statistics.ts';
import type { WaitersLog } from './waiters.ts';

/** What one contender did with one workload in one repeat. Where nothing was granted, what is per grant is NaN. */
export interface Measurement extends Failures {
  contender: string;
  workload: string;
  sectionMs: number;
  repeat: number;
  grants: number;
  grantsPerSecond: number;
  waitMs: { p50: number; p99: number; max: number };
  /** Of the waiters' shares of the grants. */
  jain: number;
  /** Round trips: writes of clients to Redis, each with its reply. */
  requestsPerGrant: number;
  /** Messages that Redis sent unasked, on their way for half a round trip each. */
  pushesPerGrant: number;
  /** Both together, a push counted as a whole one. */
  tripsPerGrant: number;
  redisCpuUsPerGrant: number;
  clientCpuUsPerGrant: number;
  /** From leaving the critical section to the next holder's entering it. */
  handOverMs: { between: { p50: number; p99: number }; within: { p50: number; p99: number } };
  /** Critical sections that overlapped; tokens that were not larger than an earlier one. */
  overlaps: number;
  tokensNotRising: number;
  /** Waiters who were not granted until the end; their waits count as long as they had lasted by then. */
  stillWaiting: number;
}

/** What the servers used up during the window, as rates, because it is read at slightly other times. */
export interface ServerRates {
  cpuUsPerSecond: number;
  pushesPerSecond: number;
}

export type Labels = Pick<Measurement, 'contender' | 'workload' | 'sectionMs' | 'repeat'>;

export function measure(labels: Labels, logs: readonly WaitersLog[], servers: ServerRates): Measurement {
  let grantsPerSecond = 0;
  let writes = 0;
  let cpuUs = 0;
  const grantsOfWaiters: number[] = [];
  const waitsMs: number[] = [];
  for (const { grants, from, until, stillWaitingMs, endedMs, waiters } of logs) {
    const counts = Array.from({ length: waiters }, () => 0);
    for (const [index, grantedMs] of grants.grantedMs.entries()) {
      const askedMs = grants.askedMs[index] ?? Number.NaN;
      const waiter = grants.waiter[index] ?? 0;
      if (grantedMs >= from.atMs && grantedMs < until.atMs) counts[waiter] = (counts[waiter] ?? 0) + 1;
      // Also those that began before the window, and those that ended after it: they are the longest.
      if (grantedMs >= from.atMs && askedMs < until.atMs) waitsMs.push(grantedMs - askedMs);
    }
    for (const askedMs of stillWaitingMs) waitsMs.push(endedMs - askedMs);
    const grantsHere = counts.reduce((sum, count) => sum + count, 0);
    grantsPerSecond += (grantsHere / (until.atMs - from.atMs)) * 1_000;
    writes += until.writes - from.writes;
    cpuUs += until.cpuUs - from.cpuUs;
    grantsOfWaiters.push(...counts);
  }
  const grants = grantsOfWaiters.reduce((sum, count) => sum + count, 0);
  const perGrant = (amount: number): number => (grants === 0 ? Number.NaN : amount / grants);
  const perGrantOf = (rate: number): number => (grants === 0 ? Number.NaN : rate / grantsPerSecond);
  const requestsPerGrant = perGrant(writes);
  const pushesPerGrant = perGrantOf(servers.pushesPerSecond);
  const seen = logs.map((log) => log.grants);
  const sortedWaitsMs = Float64Array.from(waitsMs).sort();
  const { betweenMs, withinMs } = handOvers(
    seen,
    Math.max(...logs.map(({ from }) => from.atMs)),
    Math.min(...logs.map(({ until }) => until.atMs)),
  );
  return {
    ...labels,
    grants,
    grantsPerSecond,
    waitMs: {
      p50: percentile(sortedWaitsMs, 0.5),
      p99: percentile(sortedWaitsMs, 0.99),
      max: sortedWaitsMs.at(-1) ?? Number.NaN,
    },
    jain: jainIndex(grantsOfWaiters),
    requestsPerGrant,
    pushesPerGrant,
    tripsPerGrant: requestsPerGrant + pushesPerGrant,
    redisCpuUsPerGrant: perGrantOf(servers.cpuUsPerSecond),
    clientCpuUsPerGrant: perGrant(cpuUs),
    handOverMs: {
      between: { p50: percentile(betweenMs, 0.5), p99: percentile(betweenMs, 0.99) },
      within: { p50: percentile(withinMs, 0.5), p99: percentile(withinMs, 0.99) },
    },
    ...findViolations(seen),
    stillWaiting: logs.reduce((sum, { stillWaitingMs }) => sum + stillWaitingMs.length, 0),
    failures: logs.reduce((sum, { failures }) => sum + failures, 0),
    firstFailure: logs.find(({ firstFailure }) => firstFailure !== null)?.firstFailure ?? null,
  };
}

/** A run in which the lock was no lock, or did not work, says nothing about its speed: null if it was a good one. */
export function whyVoid(run: Measurement): string | null {
  if (run.overlaps > 0) return `${run.overlaps} critical sections overlapped`;
  if (run.tokensNotRising > 0) return `${run.tokensNotRising} tokens were not larger than the last one`;
  return whyFailed(run);
}
