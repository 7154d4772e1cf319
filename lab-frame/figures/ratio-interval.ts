import { inOrder } from '../statistics.ts';
import type { Interval } from './interval.ts';

/**
 * By what a quantity has changed between two runs that did not stand side by side in time: the median of all ratios of a
 * value of the one to a value of the other, and an interval for it. Null of fewer values than the confidence needs.
 *
 * J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34
 * (1963); the interval is that of M. Hollander, D. A. Wolfe and E. Chicken, "Nonparametric Statistical Methods", 3rd
 * edition (2014), section 4.3, of logarithms, since it is a ratio that is looked for. It needs to know nothing of how
 * values are distributed, but that both runs are alike apart from that ratio. As for any interval of one run it says
 * nothing of what another day does to a machine.
 */
export function ratioInterval(
  from: readonly number[],
  to: readonly number[],
  confidence: number,
): { ratio: number; interval: Interval } | null {
  const ratios = inOrder(from.flatMap((a) => to.map((b) => b / a)));
  const leftOut = leftOutAtEachEnd(from.length, to.length, (1 - confidence) / 2);
  const [low, high] = [ratios[leftOut], ratios.at(-1 - leftOut)];
  if (leftOut < 0 || low === undefined || high === undefined) return null;
  const middle = (ratios.length - 1) / 2;
  const [below = Number.NaN, above = Number.NaN] = [ratios[Math.floor(middle)], ratios[Math.ceil(middle)]];
  return { ratio: (below + above) / 2, interval: [low, high] };
}

/** So many of the ratios at each end, by the distribution of Mann and Whitney's U; -1 if none is sure enough. */
function leftOutAtEachEnd(m: number, n: number, oneTail: number): number {
  const counts = countsOfU(m, n);
  const all = counts.reduce((sum, count) => sum + count, 0);
  let tail = 0;
  for (const [u, count] of counts.entries()) {
    tail += count / all;
    if (tail > oneTail) return u - 1;
  }
  return counts.length - 1;
}

/** In how many ways m and n values can stand so that of all pairs exactly u are in order: one entry for each u. */
function countsOfU(m: number, n: number): number[] {
  // By the last of all values: it is either of the first kind, and above all n of the other, or of the second.
  let rows = Array.from({ length: n + 1 }, () => [1]);
  for (let first = 1; first <= m; first += 1) {
    const next: number[][] = [[1]];
    for (let second = 1; second <= n; second += 1) {
      const without = next[second - 1] ?? [];
      const before = rows[second] ?? [];
      next.push(
        Array.from({ length: first * second + 1 }, (_, u) => (before[u - second] ?? 0) + (without[u] ?? 0)),
      );
    }
    rows = next;
  }
  return rows[n] ?? [];
}
