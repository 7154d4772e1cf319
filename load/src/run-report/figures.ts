import { medianInterval, type Interval } from '@lastseat/lab-frame/figures/interval.ts';
import { median, round } from '@lastseat/lab-frame/statistics.ts';

import { ratesOf, verdictOfCell, voidOf, type CellVerdict } from '../runs/rate.ts';
import type { Cell, LabRun, LabStrategy, Part } from '../runs/run.ts';
import { brokenInWords, cellInWords } from '../runs/words.ts';

/** What a report shows of one cell. All of it comes from run.json; nothing is measured or guessed here. */
export interface CellFigures {
  strategy: LabStrategy;
  replicas: number;
  connections: number;
  fault?: string;
  /** Answers per second that the workload is about: the median of the slices; null where the cell is void. */
  rate: number | null;
  interval: Interval | null;
  /** Why it has no rate. */
  void: string | null;
  verdict: CellVerdict;
  /** What stands in the place of a rate that it has not. */
  broken: string;
  /** The rate by that of the no-op route with as many replicas and connections. */
  ofCeiling: number | null;
  /** Of a cell with a fault: the rate by that of the same without one. */
  ofUndisturbed: number | null;
  /** The rate by that of the same with the fewest replicas: 1 is as much as with those. */
  ofFewest: number | null;
  /** CPU cores in use, the median of the slices. */
  cpu: Record<Part, number> | null;
}

export const PARTS: readonly Part[] = ['nginx', 'replicas', 'redis', 'postgres', 'harness'];

export const NO_OP = 'no-op';

export function figuresOf(run: LabRun): CellFigures[] {
  const cells = run.cells.map((cell): CellFigures => {
    const why = voidOf(cell);
    const rates = why === null ? ratesOf(cell) : [];
    return {
      strategy: cell.strategy,
      replicas: cell.replicas,
      connections: cell.connections,
      ...(cell.fault !== undefined && { fault: cell.fault }),
      rate: rounded(median(rates)),
      interval: medianInterval(rates),
      void: why,
      verdict: verdictOfCell(cell),
      broken: brokenInWords(cell),
      ofCeiling: null,
      ofUndisturbed: null,
      ofFewest: null,
      cpu: why === null ? cpuOf(cell) : null,
    };
  });
  const fewest = Math.min(...cells.map(({ replicas }) => replicas));
  for (const cell of cells) {
    const { strategy, replicas, connections, fault } = cell;
    const rateOf = (wanted: Key): number | null => cells.find((other) => isSame(other, wanted))?.rate ?? null;
    cell.ofFewest = ratio(cell.rate, rateOf({ strategy, replicas: fewest, connections, fault }));
    // Beside a fault the no-op route is not measured: it has nothing that could break.
    if (fault === undefined)
      cell.ofCeiling = ratio(cell.rate, rateOf({ strategy: NO_OP, replicas, connections }));
    else cell.ofUndisturbed = ratio(cell.rate, rateOf({ strategy, replicas, connections }));
  }
  return cells;
}

type Key = Pick<Cell, 'strategy' | 'replicas' | 'connections'> & { fault?: string | undefined };

function isSame(one: Key, other: Key): boolean {
  return (
    one.strategy === other.strategy &&
    one.replicas === other.replicas &&
    one.connections === other.connections &&
    one.fault === other.fault
  );
}

function rounded(value: number | null): number | null {
  return value === null ? null : round(value);
}

function ratio(value: number | null, of: number | null): number | null {
  return value === null || of === null || of === 0 ? null : round(value / of);
}

function cpuOf({ slices }: Cell): CellFigures['cpu'] {
  const known = slices.flatMap(({ cpuCores }) => cpuCores ?? []);
  if (known.length === 0) return null;
  const of = (part: Part): number => round(median(known.map((cores) => cores[part])) ?? 0);
  return {
    nginx: of('nginx'),
    replicas: of('replicas'),
    redis: of('redis'),
    postgres: of('postgres'),
    harness: of('harness'),
  };
}

/** What one check says over all slices. */
export interface CheckFigures {
  check: string;
  passed: number;
  failed: number;
  /** Of those that failed: as the cell was there to show. */
  expected: number;
  notShown: number;
  /** Where, and what is wrong or missing. */
  details: string[];
}

export function checksOf(run: LabRun): CheckFigures[] {
  const figures = new Map<string, CheckFigures>();
  for (const cell of run.cells) {
    for (const { slice, checks } of cell.slices) {
      for (const { check, verdict, detail, isExpected } of checks) {
        const of = figures.get(check) ?? {
          check,
          passed: 0,
          failed: 0,
          expected: 0,
          notShown: 0,
          details: [],
        };
        figures.set(check, of);
        if (verdict === 'passed') of.passed += 1;
        else if (verdict === 'failed') of.failed += 1;
        else of.notShown += 1;
        if (isExpected) of.expected += 1;
        if (verdict !== 'passed')
          of.details.push(`${cellInWords(cell)}, slice ${slice}: ${detail ?? verdict}`);
      }
    }
  }
  return [...figures.values()];
}

export function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
