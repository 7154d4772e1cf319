import type { StrategyView } from '@lastseat/booking/contract';

import type { Cell, LabSettings, LabStrategy } from '../runs/run.ts';
import { guardOf } from '../scenario.ts';

/** Every cell that was asked for, and for each number of replicas and connections the no-op route: the ceiling. */
export function cellsOf({ workload, replicas, connections, strategies }: LabSettings): Cell[] {
  const all: LabStrategy[] = ['no-op', ...strategies.filter((name) => name !== 'no-op')];
  return connections.flatMap((connections) =>
    replicas.flatMap((replicas) =>
      all.map((strategy): Cell => {
        const sells = strategy === 'no-op' ? 'exactly' : guardOf(strategy).sells;
        return { workload, strategy, replicas, connections, sells, slices: [] };
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
      (slice % 2 === 1 ? cells : cells.toReversed()).map((cell) => ({ cell, slice })),
    ),
  );
}

/** What was asked for by name and is not offered; of `all`, what is not offered is left out. */
export function notOffered(
  strategies: readonly LabStrategy[],
  offered: readonly StrategyView[],
): LabStrategy[] {
  return strategies.filter((name) => name !== 'no-op' && !offered.some((strategy) => strategy.name === name));
}
