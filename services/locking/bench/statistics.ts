import { median } from '@lastseat/lab-frame/statistics.ts';

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Of several repeats. A repeat without a value (NaN) has no say; of none at all, everything is NaN. */
export function spread(values: readonly number[]): Spread {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  return { median: median(known) ?? Number.NaN, min: Math.min(...known), max: Math.max(...known) };
}

/**
 * Jain's index of fairness: 1 when all got the same, 1/n when one got everything.
 * R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness and Discrimination, DEC-TR-301, 1984.
 */
export function jainIndex(amounts: readonly number[]): number {
  let sum = 0;
  let sumOfSquares = 0;
  for (const amount of amounts) {
    sum += amount;
    sumOfSquares += amount * amount;
  }
  return sumOfSquares === 0 ? Number.NaN : (sum * sum) / (amounts.length * sumOfSquares);
}
