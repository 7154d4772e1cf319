import type { Latency } from '@lastseat/lab-frame/latency.ts';
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js';

import type { Cell, LabRun, LabStrategy, Slice } from '#src/runs/run.ts';

/** A run of the lab, as it could be: the rates follow from the numbers of the cell, so that they can be told apart. */
export function sampleRun(changes: Partial<LabRun['settings']> = {}): LabRun {
  const settings: LabRun['settings'] = {
    workload: 'rush',
    replicas: [1, 2, 4],
    strategies: ['fenced-lock', 'atomic-update', 'no-lock'],
    connections: [8, 64],
    tickets: null,
    buyers: null,
    slices: 6,
    warmUpMs: 400,
    windowMs: 1_000,
    ...changes,
  };
  const strategies: LabStrategy[] = ['no-op', ...settings.strategies];
  return {
    format: 'lastseat-run/1',
    id: '2026-11-28T22-40-12Z-lab',
    name: 'lab',
    command: 'make lab STRATEGY=fenced-lock,atomic-update,no-lock REPLICAS=1,2,4 CONNECTIONS=8,64',
    circumstances: {
      startedAt: '2026-11-28T22:40:12.000Z',
      commit: 'abc123def456',
      dirty: false,
      machine: { cores: 2, memoryGb: 8, cpu: 'a CPU <& more>', platform: 'linux x64', node: 'v26.10.0' },
    },
    endedAt: '2026-11-28T22:45:00.000Z',
    isComplete: true,
    settings,
    runtime: 'native',
    servers: { postgres: '18.1', redis: '8.2', nginx: '1.30.0' },
    limits: { nginx: 1, replicas: 1, redis: 1, postgres: 2 },
    memoryLimitsMb: { nginx: 64, replicas: 512 },
    roundTrips: [
      {
        strategy: 'fenced-lock',
        connections: 64,
        bookings: 700,
        statements: 5,
        postgresRoundTrips: 5,
        redisCommands: 0.11,
        redisRoundTrips: 0.05,
      },
    ],
    cells: settings.connections.flatMap((connections) =>
      settings.replicas.flatMap((replicas) =>
        strategies.map((strategy) => sampleCell(strategy, replicas, connections, settings.slices)),
      ),
    ),
  };
}

function sampleCell(strategy: LabStrategy, replicas: number, connections: number, slices: number): Cell {
  const isUnguarded = strategy === 'no-lock';
  const base = { 'no-op': 12_000, 'fenced-lock': 700, 'atomic-update': 1_900 }[strategy as string] ?? 5_000;
  const rate = Math.round((base * (1 + connections / 100)) / (1 + 0.05 * (replicas - 1)));
  return {
    workload: 'rush',
    strategy,
    replicas,
    connections,
    sells: isUnguarded ? 'too many' : 'exactly',
    slices: Array.from({ length: slices }, (_, index): Slice => {
      const perSecond = { booked: rate + 10 * index, busy: 3 };
      const oversold = '1,234 tickets sold though there were only 1,000: 234 too many';
      return {
        slice: index + 1,
        startedAt: '2026-11-28T22:41:00.000Z',
        eventIds: [index + 1],
        requests: { started: rate, answered: rate, unknown: 0 },
        windowMs: 1_000,
        answers: perSecond,
        perSecond,
        latency: { booked: sampleLatency(1 + connections / 8, 900), busy: sampleLatency(40, 20) },
        generator: {
          loop: 'closed',
          offeredPerS: null,
          achievedPerS: null,
          lagMs: { p50: 0.1, p99: 1, max: 3 },
        },
        cpuCores: { nginx: 0.2, replicas: 0.7, redis: 0.1, postgres: 0.5, harness: 0.3 },
        checks: [
          isUnguarded
            ? { check: 'oversold', verdict: 'failed', detail: oversold, isExpected: true }
            : { check: 'oversold', verdict: 'passed', detail: null },
          { check: 'linearizability', verdict: isUnguarded ? 'not shown' : 'passed', detail: null },
        ],
        void: isUnguarded ? oversold : null,
        history:
          index === 0 && strategy === 'fenced-lock' ? `history-${replicas}-${connections}.jsonl` : null,
      };
    }),
  };
}

const made = new Map<string, Latency>();

function sampleLatency(msAtMost: number, count: number): Latency {
  const key = `${msAtMost} ${count}`;
  const latency = made.get(key) ?? makeLatency(msAtMost, count);
  made.set(key, latency);
  return latency;
}

function makeLatency(msAtMost: number, count: number): Latency {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
  });
  for (let index = 0; index < count; index += 1)
    histogram.recordValue(Math.ceil((1_000 * msAtMost * (index + 1)) / count));
  const at = (share: number): number => histogram.getValueAtPercentile(share) / 1_000;
  return {
    count,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: at(100),
    hdr: encodeIntoCompressedBase64(histogram),
  };
}
