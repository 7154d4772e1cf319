import type { Figure, Verdict } from '@lastseat/lab-frame/figures/figure.ts';
import type { Interval } from '@lastseat/lab-frame/figures/interval.ts';
import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';

/** What a figure was in all runs that have it. */
export interface FigureRange {
  name: string;
  target: string;
  runs: number;
  /** The smallest and the largest of the runs' values. */
  values: Interval | null;
  /** From the lowest end of all their intervals to the highest one. */
  interval: Interval | null;
  verdicts: Record<Verdict, number>;
}

/**
 * Those of the newest run, in its order: what is not measured any more is no longer claimed. Verdicts against another
 * target do not count.
 */
export function figureRanges(runs: readonly RecordedRun[]): FigureRange[] {
  const newest = runs.at(-1)?.figures ?? [];
  return newest.map(({ name, target }) => {
    const all = runs.flatMap((run) =>
      run.figures.filter((figure) => figure.name === name && figure.target === target),
    );
    return {
      name,
      target,
      runs: all.length,
      values: hull(all.map(({ value }) => (value === null ? null : [value, value]))),
      interval: hull(all.map(({ interval }) => interval)),
      verdicts: {
        met: countOf(all, 'met'),
        missed: countOf(all, 'missed'),
        undecided: countOf(all, 'undecided'),
      },
    };
  });
}

/** The smallest and the largest median of all runs; null if none has it. */
export function medianRange(
  runs: readonly RecordedRun[],
  what: string,
  of: string,
  at: string,
): Interval | null {
  return hull(
    runs.map(({ medians }) => {
      const value = medians[what]?.[of]?.[at];
      return value === undefined ? null : [value, value];
    }),
  );
}

function hull(intervals: readonly (Interval | null)[]): Interval | null {
  const known = intervals.filter((interval) => interval !== null);
  if (known.length === 0) return null;
  return [Math.min(...known.map(([low]) => low)), Math.max(...known.map(([, high]) => high))];
}

function countOf(figures: readonly Figure[], verdict: Verdict): number {
  return figures.filter((figure) => figure.verdict === verdict).length;
}
