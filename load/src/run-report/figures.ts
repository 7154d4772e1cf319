import { medianInterval, type Interval } from '@lastseat/lab-frame/figures/interval.ts';
import { median, round } from '@lastseat/lab-frame/statistics.ts';

import { ratesOf, verdictOfCell, voidOf, type CellVerdict } from '../runs/rate.ts';
import type { Cell, LabRun, LabStrategy, Part } from '../runs/run.ts';
import { cellInWords } from '../runs/words.ts';

/** What a report shows of one cell. All of it comes from run.json; nothing is measured or guessed here. */
export interface CellFigures {
  strategy: LabStrategy;
  replicas: number;
  connections: number;
  /** Answers per second that the workload is about: the median of the slices; null where the cell is void. */
  rate: number | null;
  interval: Interval | null;
  /** Why it has no rate. */
  void: string | null;
  verdict: CellVerdict;
  /** The rate by that of the no-op route with as many replicas and connections. */
  ofCeiling: number | null;
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
      rate: rounded(median(rates)),
      interval: medianInterval(rates),
      void: why,
      verdict: verdictOfCell(cell),
      ofCeiling: null,
      ofFewest: null,
      cpu: why === null ? cpuOf(cell) : null,
    };
  });
  const find = (strategy: string, replicas: number, connections: number): number | null =>
    cells.find(
      (cell) => cell.strategy === strategy && cell.replicas === replicas && cell.connections === connections,
    )?.rate ?? null;
  const fewest = Math.min(...cells.map(({ replicas }) => replicas));
  for (const cell of cells) {
    cell.ofCeiling = ratio(cell.rate, find(NO_OP, cell.replicas, cell.connections));
    cell.ofFewest = ratio(cell.rate, find(cell.strategy, fewest, cell.connections));
  }
  return cells;
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
