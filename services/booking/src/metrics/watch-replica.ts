import { Counter, Gauge, type Registry } from 'prom-client';

import type { StrategyName } from '#src/contract.ts';
import type { PoolUse } from '#src/storage/pool.ts';

/** What a replica knows of itself at any time. */
export interface Watched {
  instanceId: string;
  labMode: boolean;
  strategies: ReadonlyMap<string, { waiting?: () => number }>;
  retriesOf: (strategy: StrategyName) => number;
  poolUse: () => Record<string, PoolUse>;
}

/** Gauges and counters that are read when they are scraped, and cost nothing else. */
export function watchReplica(registry: Registry, replica: Watched): void {
  const registers = [registry];
  const names = [...replica.strategies.keys()] as StrategyName[];
  const startedAtMs = startOfTime();
  new Gauge({
    name: 'lastseat_replica_info',
    help: 'Always 1; its labels tell which replica this is, as it calls itself in answers, logs and booking rows.',
    labelNames: ['instance_id', 'lab_mode'] as const,
    registers,
  }).set({ instance_id: replica.instanceId, lab_mode: replica.labMode ? 'on' : 'off' }, 1);
  const readWhenScraped = [
    new Gauge<string>({
      name: 'lastseat_queue_depth_requests',
      help: 'Requests that wait in this replica for the next batch.',
      labelNames: ['strategy'],
      registers: [],
      collect() {
        for (const [strategy, { waiting }] of replica.strategies) {
          if (waiting !== undefined) this.set({ strategy }, waiting());
        }
      },
    }),
    new Gauge({
      name: 'lastseat_clock_shift_seconds',
      help: 'By how much the clock was set, forwards or (negative) backwards, since this process has begun.',
      registers: [],
      collect() {
        this.set((startOfTime() - startedAtMs) / 1_000);
      },
    }),
    new Counter<string>({
      name: 'lastseat_retries_total',
      help: 'Attempts to book that had to be repeated.',
      labelNames: ['strategy'],
      registers: [],
      collect() {
        this.reset();
        for (const strategy of names) this.inc({ strategy }, replica.retriesOf(strategy));
      },
    }),
    new Gauge<string>({
      name: 'lastseat_pool_connections',
      help: 'Connections to Postgres that are open, by what they are for and whether they are in use.',
      labelNames: ['pool', 'state'],
      registers: [],
      collect() {
        for (const [pool, { open, inUse }] of Object.entries(replica.poolUse())) {
          this.set({ pool, state: 'in_use' }, inUse);
          this.set({ pool, state: 'idle' }, open - inUse);
        }
      },
    }),
    new Gauge<string>({
      name: 'lastseat_pool_limit_connections',
      help: 'As many connections may be open.',
      labelNames: ['pool'],
      registers: [],
      collect() {
        for (const [pool, { max }] of Object.entries(replica.poolUse())) this.set({ pool }, max);
      },
    }),
    new Gauge<string>({
      name: 'lastseat_pool_waiting_requests',
      help: 'Requests that wait for a connection.',
      labelNames: ['pool'],
      registers: [],
      collect() {
        for (const [pool, { waiting }] of Object.entries(replica.poolUse())) this.set({ pool }, waiting);
      },
    }),
  ];
  for (const metric of readWhenScraped) registry.registerMetric(metric);
}

/** When the clock that nobody sets began, by the one that can be set: it changes when that one is set. */
function startOfTime(): number {
  return Date.now() - performance.now();
}
