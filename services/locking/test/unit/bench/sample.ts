import { createGrantLog, type Grants } from '#bench/grants.ts';
import type { Measurement } from '#bench/measurement.ts';
import type { CrowdMeasurement } from '#bench/results.ts';
import type { WaitersLog } from '#bench/waiters.ts';

type Grant = readonly [waiter: number, askedMs: number, grantedMs: number, leftMs: number, token?: number];

/** Grants of one process, for one name. */
export function grantsOf(grants: readonly Grant[], name = 0): Grants {
  const log = createGrantLog(1);
  for (const [waiter, asked, granted, left, token] of grants)
    log.add(waiter, name, asked, granted, left, token);
  return log.grants();
}

/** What one process has seen, in a window from 1,000 to 2,000 ms. */
export function logOf(waiters: number, grants: readonly Grant[], rest: Partial<WaitersLog> = {}): WaitersLog {
  return {
    waiters,
    grants: grantsOf(grants),
    from: { atMs: 1_000, writes: 100, cpuUs: 5_000 },
    until: { atMs: 2_000, writes: 110, cpuUs: 9_000 },
    stillWaitingMs: new Float64Array(),
    endedMs: 2_100,
    failures: 0,
    firstFailure: null,
    ...rest,
  };
}

/** A run without anything wrong with it. */
export function runOf(rest: Partial<Measurement>): Measurement {
  return {
    contender: 'queue',
    workload: '4x250',
    sectionMs: 0,
    repeat: 0,
    grants: 1_000,
    grantsPerSecond: 1_000,
    waitMs: { p50: 1, p99: 10, max: 20 },
    jain: 1,
    requestsPerGrant: 2,
    pushesPerGrant: 0,
    tripsPerGrant: 2,
    redisCpuUsPerGrant: 10,
    clientCpuUsPerGrant: 20,
    handOverMs: { between: { p50: 1, p99: 2 }, within: { p50: 1, p99: 2 } },
    overlaps: 0,
    tokensNotRising: 0,
    stillWaiting: 0,
    failures: 0,
    firstFailure: null,
    ...rest,
  };
}

/** A crowd without anything wrong with it. */
export function crowdOf(rest: Partial<CrowdMeasurement>): CrowdMeasurement {
  return {
    contender: 'queue',
    repeat: 0,
    waiters: 10_000,
    heapBytesPerWaiter: 1_000,
    redisBytesPerWaiter: 1,
    handOverFewP50Ms: 1,
    handOverManyP50Ms: 1,
    failures: 0,
    firstFailure: null,
    ...rest,
  };
}
