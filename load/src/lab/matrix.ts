import type { StrategyView } from '@lastseat/booking/contract';

import type { Cell, LabSettings, LabStrategy } from '../runs/run.ts';
import { guardOf } from '../scenario.ts';
import { NO_FAULT } from './faults.ts';

/**
 * Every cell that was asked for, and for each number of replicas and connections the no-op route: the ceiling. That sells
 * nothing, so that no fault can break it.
 */
export function cellsOf({ workload, replicas, connections, strategies, faults }: LabSettings): Cell[] {
  const guards = strategies.filter((name) => name !== 'no-op');
  return connections.flatMap((connections) =>
    (faults ?? [NO_FAULT]).flatMap((fault) =>
      replicas.flatMap((replicas) => {
        const all: LabStrategy[] = fault === NO_FAULT ? ['no-op', ...guards] : guards;
        return all.map((strategy): Cell => {
          const sells = strategy === 'no-op' ? 'exactly' : guardOf(strategy).sells;
          const cell: Cell = { workload, strategy, replicas, connections, sells, slices: [] };
          if (fault !== NO_FAULT) cell.fault = fault;
          return cell;
        });
      }),
    ),
  );
}

export interface PlannedSlice {
  cell: Cell;
  slice: number;
}

/**
 * All cells in turn, slice by slice and every other time in reverse, so that whatever slows the machine for a while, and
 * whatever wears off, falls on all of them alike. Where a stack has one nginx, one number of replicas comes after the
 * other, and only what is measured with the same number takes turns.
 */
export function inTurns(cells: readonly Cell[], slices: number, isOneByOne: boolean): PlannedSlice[] {
  const groups = isOneByOne ? [...Map.groupBy(cells, ({ replicas }) => replicas).values()] : [cells];
  return groups.flatMap((cells) =>
    Array.from({ length: slices }, (_, index) => index + 1).flatMap((slice) =>
      (slice % 2 === 1 ? cells : cells.toReversed())
        .filter((cell) => slice <= slicesOf(cell, slices))
        .map((cell) => ({ cell, slice })),
    ),
  );
}

// The fewest that have an interval: of the ceiling more say no more, and a storm of ten minutes needs none.
const CEILING_SLICES = 6;

/** How often a cell is measured. */
export function slicesOf({ strategy }: Pick<Cell, 'strategy'>, slices: number): number {
  return strategy === 'no-op' ? Math.min(slices, CEILING_SLICES) : slices;
}

/** What was asked for by name and is not offered; of `all`, what is not offered is left out. */
export function notOffered(
  strategies: readonly LabStrategy[],
  offered: readonly StrategyView[],
): LabStrategy[] {
  return strategies.filter((name) => name !== 'no-op' && !offered.some((strategy) => strategy.name === name));
}
