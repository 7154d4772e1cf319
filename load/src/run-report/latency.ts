import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';

import type { Cell, LabRun, Outcome } from '../runs/run.ts';

/** How long the answers of one outcome took in one cell, over all its slices. */
export interface LatencyFigures {
  strategy: string;
  replicas: number;
  connections: number;
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
const MICROSECONDS = 1_000;

export function latenciesOf(run: LabRun): LatencyFigures[] {
  return run.cells.flatMap((cell) => outcomesOf(cell).map((outcome) => latencyOf(cell, outcome)));
}

function outcomesOf({ slices }: Cell): Outcome[] {
  const believed = slices.filter((slice) => slice.void === null);
  return [...new Set(believed.flatMap(({ latency }) => Object.keys(latency) as Outcome[]))];
}

function latencyOf(cell: Cell, outcome: Outcome): LatencyFigures {
  const { strategy, replicas, connections, slices } = cell;
  const [first, ...others] = slices.flatMap(({ latency, void: why }): Histogram[] => {
    const { hdr } = latency[outcome] ?? {};
    return hdr === undefined || why !== null ? [] : [decodeFromCompressedBase64(hdr, 32, false)];
  });
  for (const other of others) first?.add(other);
  const at = (percentile: number): number =>
    round((first?.getValueAtPercentile(percentile) ?? 0) / MICROSECONDS);
  const count = first?.totalCount ?? 0;
  return {
    strategy,
    replicas,
    connections,
    outcome,
    count,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: round((first?.maxValue ?? 0) / MICROSECONDS),
    curve: curveOf(count, at),
  };
}

/** As far as there is at least one answer beyond: what nobody has measured is not drawn. */
function curveOf(count: number, at: (percentile: number) => number): LatencyFigures['curve'] {
  const steps = Math.floor(Math.log10(Math.max(1, count)) * STEPS_PER_NINE);
  return Array.from({ length: Math.max(0, steps - 1) }, (_, step) => {
    // The first is 53.6 %: of the quicker half nobody complains.
    const nines = (step + 2) / STEPS_PER_NINE;
    return [Math.round(nines * 1_000) / 1_000, at(100 * (1 - 10 ** -nines))] as const;
  });
}

function round(ms: number): number {
  return Number(ms.toPrecision(3));
}
