import { inOrder } from '../statistics.ts';

export type Interval = readonly [low: number, high: number];

/** How sure an interval is, at least. */
export const CONFIDENCE = 0.95;

/**
 * Where the true median of a slice lies, with 95 % confidence or more: null for fewer than six slices, of which no two
 * are far enough apart for that.
 *
 * The interval between two order statistics, which needs to know nothing of how slices are distributed: each of them is
 * above the true median or below it, as a coin falls, so the binomial distribution tells how many may be left out at
 * each end. W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
 * unknown distribution form", Annals of Mathematical Statistics 7 (1936); H. A. David and H. N. Nagaraja, "Order
 * Statistics", 3rd edition (2003), section 7.1. It takes slices to be independent of one another, which those of one run
 * on one machine are only in part: it says nothing of the next run.
 */
export function medianInterval(values: readonly number[]): Interval | null {
  const sorted = inOrder(values);
  const leftOut = leftOutAtEachEnd(sorted.length);
  const [low, high] = [sorted[leftOut], sorted.at(-1 - leftOut)];
  return low === undefined || high === undefined ? null : [low, high];
}

/** The most that can be left out, by the binomial distribution of heads; as many as there are if none is sure enough. */
function leftOutAtEachEnd(size: number): number {
  const oneTail = (1 - CONFIDENCE) / 2;
  let probability = 0.5 ** size;
  let tail = probability;
  if (tail > oneTail) return size;
  let leftOut = 0;
  for (;;) {
    probability *= (size - leftOut) / (leftOut + 1);
    tail += probability;
    if (tail > oneTail) return leftOut;
    leftOut += 1;
  }
}
