import { median, round } from '../statistics.ts';
import { medianInterval, type Interval } from './interval.ts';

/**
 * One line of what is to be reached. Programs read these names in JSON reports and in the results files: add, but do not
 * rename.
 */
export interface Figure {
  name: string;
  target: string;
  /** The median of the slices, or the worst of what was counted; null if nothing can be believed. */
  value: number | null;
  /** Of the median; null of too few slices, and of what is counted rather than timed. */
  interval: Interval | null;
  /** How many measurements it was made of: pairs that stood side by side in time. */
  slices: number;
  verdict: Verdict;
}

/**
 * `undecided` is a result too: the interval spans the target, or there are too few slices for an interval. Another run,
 * on the same machine or not, may find either.
 */
export type Verdict = 'met' | 'missed' | 'undecided';

export type Target = { atLeast: number } | { atMost: number };

/** `failed`: what was measured did not do its work, so that its speed means nothing. */
export type Slices = readonly number[] | 'failed';

/** A figure whose value is a median. A slice without a value (NaN) is left out. */
export function slicedFigure(name: string, target: Target, values: Slices): Figure {
  const slices = values === 'failed' ? [] : values.filter((value) => !Number.isNaN(value));
  const value = median(slices);
  const interval = medianInterval(slices);
  return {
    name,
    target: 'atLeast' in target ? `>= ${short(target.atLeast)}` : `<= ${short(target.atMost)}`,
    value: value === null ? null : round(value),
    interval: interval && [round(interval[0]), round(interval[1])],
    slices: slices.length,
    // Judged before it is rounded: 0.7996 is not 0.8.
    verdict: values === 'failed' ? 'missed' : verdictOf(interval, target),
  };
}

/** A figure that every single run has to reach: one that does not is one too many, and no median makes it good. */
export function countedFigure(name: string, expected: number, counts: readonly number[]): Figure {
  const distance = (count: number): number => Math.abs(count - expected);
  const worst = counts.reduce(
    (worst, count) => (distance(count) > distance(worst) ? count : worst),
    expected,
  );
  const isKnown = counts.length > 0;
  return {
    name,
    target: `= ${expected}`,
    value: isKnown ? worst : null,
    interval: null,
    slices: counts.length,
    verdict: !isKnown ? 'undecided' : worst === expected ? 'met' : 'missed',
  };
}

export function verdictOf(interval: Interval | null, target: Target): Verdict {
  if (interval === null) return 'undecided';
  const reaches = (value: number): boolean =>
    'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
  const [low, high] = interval.map(reaches);
  if (low !== high) return 'undecided';
  return low ? 'met' : 'missed';
}

function short(bound: number): string {
  if (Number.isInteger(bound)) return String(bound);
  return bound < 0.1 ? `1/${Math.round(1 / bound)}` : String(round(bound));
}
