import { latencyCurve, mergeLatencies, type Latency } from '@lastseat/lab-frame/latency.ts';

import type { Cell, LabRun, Outcome } from '../runs/run.ts';

/** How long the answers of one outcome took in one cell, over all its slices. */
export interface LatencyFigures {
  strategy: string;
  replicas: number;
  connections: number;
  fault?: string;
  outcome: Outcome;
  count: number;
  /** In milliseconds. */
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
  /** For a chart: 1 is 90 %, 2 is 99 %, 3 is 99.9 %; and the milliseconds that so many did not exceed. */
  curve: (readonly [nines: number, ms: number])[];
}

// Six steps for each nine: what a line needs to look smooth.
const STEPS_PER_NINE = 6;

export function latenciesOf(run: LabRun): LatencyFigures[] {
  return run.cells.flatMap((cell) => outcomesOf(cell).flatMap((outcome) => latencyOf(cell, outcome)));
}

function outcomesOf({ slices }: Cell): Outcome[] {
  const believed = slices.filter((slice) => slice.void === null);
  return [...new Set(believed.flatMap(({ latency }) => Object.keys(latency) as Outcome[]))];
}

function latencyOf(cell: Cell, outcome: Outcome): LatencyFigures[] {
  const { strategy, replicas, connections, fault, slices } = cell;
  const believed = slices.flatMap(({ latency, void: why }) => (why === null ? (latency[outcome] ?? []) : []));
  const all = mergeLatencies(believed);
  if (all === null) return [];
  const { count, p50, p90, p99, p999, max } = all;
  return [
    {
      strategy,
      replicas,
      connections,
      ...(fault !== undefined && { fault }),
      outcome,
      count,
      p50: round(p50),
      p90: round(p90),
      p99: round(p99),
      p999: round(p999),
      max: round(max),
      curve: curveOf(all),
    },
  ];
}

/** As far as there is at least one answer beyond: what nobody has measured is not drawn. */
function curveOf(all: Latency): LatencyFigures['curve'] {
  const steps = Math.floor(Math.log10(Math.max(1, all.count)) * STEPS_PER_NINE);
  // The first is 53.6 %: of the quicker half nobody complains.
  const percentiles = Array.from({ length: Math.max(0, steps - 1) }, (_, step) => percentileOf(step + 2));
  return latencyCurve(all, percentiles).map(([percentile, ms]) => {
    const nines = -Math.log10(1 - percentile / 100);
    return [Math.round(nines * 1_000) / 1_000, round(ms)] as const;
  });
}

function percentileOf(step: number): number {
  return 100 * (1 - 10 ** -(step / STEPS_PER_NINE));
}

function round(ms: number): number {
  return Number(ms.toPrecision(3));
}
