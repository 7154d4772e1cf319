import { median, percentile } from '@lastseat/lab-frame/statistics.ts';
import { describe, expect, it } from 'vitest';

import { jainIndex, spread } from '#bench/statistics.ts';

describe('a percentile', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1);

  it('is the value that such a share does not exceed', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
  });

  it('of few values is one of them, the worst for a large share', () => {
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([1, 2, 3], 0.99)).toBe(3);
    expect(percentile([1, 2, 3], 0)).toBe(1);
  });

  it('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe('a median', () => {
  it('is the one in the middle, or between the two in the middle, whatever their order', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 2, 9])).toBe(5.5);
    expect(median([])).toBeNull();
  });

  it('leaves out the repeats that came to nothing', () => {
    expect(spread([3, Number.NaN, 1])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([Number.NaN])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
  });
});

describe("Jain's index", () => {
  it('is 1 when all got the same', () => {
    expect(jainIndex([4, 4, 4, 4])).toBe(1);
  });

  it('is one part in n when one of n got everything', () => {
    expect(jainIndex([0, 0, 12, 0])).toBe(0.25);
  });

  it('is k in n when k of n shared evenly', () => {
    expect(jainIndex([5, 0, 5, 0, 5, 0, 0, 0])).toBe(3 / 8);
  });

  it('is not a number when there was nothing to share', () => {
    expect(jainIndex([0, 0])).toBeNaN();
    expect(jainIndex([])).toBeNaN();
  });
});
