import type { LockEventListener } from '@lastseat/locking';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

import type { StrategyName } from '#src/contract.ts';
import type { Answered } from '#src/http/answer.ts';
import { onCommitInDoubt } from '#src/storage/transaction.ts';

import { createLockMetrics } from './lock-metrics.ts';
import { watchReplica, type Watched } from './watch-replica.ts';

/**
 * What Prometheus is told of one replica. Nothing here is asked before it is scraped, except what has to be counted when
 * it happens, by the listeners below; a replica without METRICS_PORT has none of it.
 *
 * Labels take their values from short lists that we know: routes, strategies, outcomes. Never from a client, and never
 * the id of an event: each value is a series that Prometheus keeps.
 */
export interface Metrics extends Disposable {
  registry: Registry;
  /** Told of each answer when it is made. */
  onAnswer: (answered: Answered) => void;
  /** Told of each batch when it is about to be sent. */
  onBatch: (strategy: StrategyName, size: number) => void;
  /** Told of each time that the process has stood still. */
  onStall: (stalledMs: number) => void;
  /** The listener of the lock that a strategy books under. */
  onLockEventOf: (strategy: StrategyName) => LockEventListener;
  /** Reads, at each scrape, what this replica knows anyway. */
  watch: (replica: Watched) => void;
}

/** From a read of the cache to the deadline of a request: 1 ms to 10 s, in steps that tell p99 from p50. */
export const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A batch has 512 bookings at most. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** What answers without a route of ours have for one: scanners make up addresses without end. */
const UNKNOWN_ROUTE = { method: 'unknown', route: 'unknown' };

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'lastseat_request_duration_seconds',
    help: 'From the arrival of a request to its answer. The outcome is ok, or the code of the problem that was answered.',
    labelNames: ['method', 'route', 'strategy', 'outcome'] as const,
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const batches = new Histogram({
    name: 'lastseat_batch_size_bookings',
    help: 'Bookings that were sent to Postgres together, of one event.',
    labelNames: ['strategy'] as const,
    buckets: BATCH_BUCKETS,
    registers,
  });
  const inDoubt = new Counter({
    name: 'lastseat_commits_in_doubt_total',
    help: 'Commits whose answer was lost. They are looked for; the requests that stay undecided have the outcome unknown.',
    registers,
  });
  // The lag that prom-client knows is forgotten at each scrape, and who stands still misses scrapes.
  const standstill = new Counter({
    name: 'lastseat_standstill_seconds_total',
    help: 'For how long the process has stood still, a second or longer each time.',
    registers,
  });
  const forgetCommits = onCommitInDoubt(() => inDoubt.inc());

  return {
    registry,
    onAnswer({ route = UNKNOWN_ROUTE, strategy = '', outcome, tookMs }) {
      requests.observe({ ...route, strategy, outcome }, tookMs / 1_000);
    },
    onBatch(strategy, size) {
      batches.observe({ strategy }, size);
    },
    onStall(stalledMs) {
      standstill.inc(stalledMs / 1_000);
    },
    onLockEventOf: createLockMetrics(registry, SECONDS_BUCKETS),
    watch: (replica) => watchReplica(registry, replica),
    [Symbol.dispose]: forgetCommits,
  };
}
