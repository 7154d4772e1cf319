import { ratioInterval } from '@lastseat/lab-frame/figures/ratio-interval.ts';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';
import { expect, it } from 'vitest';

it('is told of five values each with a confidence of 99 %, and not of four', () => {
  expect(ratioInterval([1, 1, 1, 1, 1], [2, 2, 2, 2, 2], 0.99)).toEqual({ ratio: 2, interval: [2, 2] });
  expect(ratioInterval([1, 1, 1, 1], [2, 2, 2, 2], 0.99)).toBeNull();
  expect(ratioInterval([1, 1, 1, 1], [2, 2, 2, 2], 0.95)).not.toBeNull();
  expect(ratioInterval([], [], 0.95)).toBeNull();
});

it('leaves out as many ratios at each end as the tables of the rank sum test say', () => {
  // Six beside six: U <= 5 at 5 % two-sided, U <= 2 at 1 % (D. B. Owen, Handbook of Statistical Tables).
  const from = [1, 2, 4, 8, 16, 32];
  const to = from.map((value) => value * 1.1);
  const ratios = from.flatMap((a) => to.map((b) => b / a)).toSorted((a, b) => a - b);
  expect(ratioInterval(from, to, 0.95)?.interval).toEqual([ratios[5], ratios.at(-6)]);
  expect(ratioInterval(from, to, 0.99)?.interval).toEqual([ratios[2], ratios.at(-3)]);
});

it('holds the true ratio at least as often as it says', () => {
  const random = randomNumbers(1);
  const skewed = (): number => 100 / (0.1 + random());
  const hits = Array.from({ length: 2_000 }, () => {
    const from = Array.from({ length: 6 }, skewed);
    const to = Array.from({ length: 6 }, () => 1.5 * skewed());
    const [low = 0, high = 0] = ratioInterval(from, to, 0.95)?.interval ?? [];
    return low <= 1.5 && 1.5 <= high;
  }).filter(Boolean).length;
  expect(hits / 2_000).toBeGreaterThan(0.945);
  // And is not so wide that it says nothing.
  expect(hits / 2_000).toBeLessThan(0.99);
});
