import { workloadOf, WORKLOAD_NAMES } from '../workloads/workloads.ts';
import type { Cell, Outcome, Slice } from './run.ts';

/** The answers that a workload is about, by the second; null where the slice cannot be believed. */
export function rateOf({ workload }: Pick<Cell, 'workload'>, slice: Slice): number | null {
  if (slice.void !== null) return null;
  const counts: readonly Outcome[] = WORKLOAD_NAMES.includes(workload)
    ? workloadOf(workload).counts
    : (Object.keys(slice.perSecond) as Outcome[]);
  return counts.reduce((sum, outcome) => sum + (slice.perSecond[outcome] ?? 0), 0);
}

/** Of each slice that can be believed. */
export function ratesOf(cell: Cell): number[] {
  return cell.slices.flatMap((slice) => rateOf(cell, slice) ?? []);
}

/** Of the answers that the workload is about, in every slice that can be believed. */
export function latenciesOf(cell: Cell, percentile: 'p50' | 'p99'): number[] {
  const [outcome = 'booked'] = WORKLOAD_NAMES.includes(cell.workload) ? workloadOf(cell.workload).counts : [];
  return cell.slices.flatMap((slice) =>
    slice.void === null ? (slice.latency[outcome]?.[percentile] ?? []) : [],
  );
}

/** Why a cell has no throughput: one slice that cannot be believed spoils the others. Null if it has one. */
export function voidOf({ slices }: Cell): string | null {
  if (slices.length === 0) return 'not measured: interrupted before';
  return slices.find((slice) => slice.void !== null)?.void ?? null;
}

/** How a cell ended, in one or two words. */
export type CellVerdict = 'exact' | 'oversold' | 'failed' | 'not shown';

export function verdictOfCell(cell: Cell): CellVerdict {
  const checks = cell.slices.flatMap((slice) => slice.checks);
  if (checks.some(({ verdict, isExpected }) => verdict === 'failed' && !isExpected)) return 'failed';
  if (cell.slices.length === 0 || voidOf(cell) !== null) {
    return checks.some(({ isExpected }) => isExpected) ? 'oversold' : 'not shown';
  }
  return 'exact';
}
