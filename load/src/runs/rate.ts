import { workloadOf, WORKLOAD_NAMES } from '../workloads/workloads.ts';
import type { Cell, Outcome, Slice } from './run.ts';

/** The answers that a workload is about, by the second; null where the slice cannot be believed. */
export function rateOf(cell: Pick<Cell, 'workload' | 'strategy'>, slice: Slice): number | null {
  if (slice.void !== null) return null;
  const counts = countedIn(cell) ?? (Object.keys(slice.perSecond) as Outcome[]);
  return counts.reduce((sum, outcome) => sum + (slice.perSecond[outcome] ?? 0), 0);
}

/** Null for all answers: the no-op route knows one only, and a workload that is no more may have had any. */
function countedIn({ workload, strategy }: Pick<Cell, 'workload' | 'strategy'>): readonly Outcome[] | null {
  return strategy === 'no-op' || !WORKLOAD_NAMES.includes(workload) ? null : workloadOf(workload).counts;
}

/** Of each slice that can be believed. */
export function ratesOf(cell: Cell): number[] {
  return cell.slices.flatMap((slice) => rateOf(cell, slice) ?? []);
}

/** Of the answers that the workload is about, in every slice that can be believed. */
export function latenciesOf(cell: Cell, percentile: 'p50' | 'p99'): number[] {
  const [outcome = 'booked'] = countedIn(cell) ?? [];
  return cell.slices.flatMap((slice) =>
    slice.void === null ? (slice.latency[outcome]?.[percentile] ?? []) : [],
  );
}

/** Why a cell has no throughput: one slice that cannot be believed spoils the others. Null if it has one. */
export function voidOf({ slices }: Pick<Cell, 'slices'>): string | null {
  if (slices.length === 0) return 'not measured: interrupted before';
  return slices.find((slice) => slice.void !== null)?.void ?? null;
}

/** How a cell ended. `broke as it says`: beside a fault that its guard does not promise to survive. */
export type CellVerdict = 'exact' | 'oversold' | 'broke as it says' | 'failed' | 'not shown';

export function verdictOfCell(cell: Pick<Cell, 'slices' | 'sells'>): CellVerdict {
  const checks = cell.slices.flatMap((slice) => slice.checks);
  if (checks.some(({ verdict, isExpected }) => verdict === 'failed' && !isExpected)) return 'failed';
  if (cell.slices.length === 0 || voidOf(cell) !== null) {
    if (!checks.some(({ isExpected }) => isExpected)) return 'not shown';
    return cell.sells === 'too many' ? 'oversold' : 'broke as it says';
  }
  return 'exact';
}
