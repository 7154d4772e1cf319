import { countedFigure, slicedFigure, verdictOf } from '@lastseat/lab-frame/figures/figure.ts';
import { medianInterval } from '@lastseat/lab-frame/figures/interval.ts';
import { randomNumbers } from '@lastseat/lab-frame/random.ts';
import { describe, expect, it } from 'vitest';

const upTo = (size: number) => Array.from({ length: size }, (_, index) => size - index);
const figure = (values: number[]) => slicedFigure('speed', { atLeast: 5 }, values);
const small = (values: number[]) => slicedFigure('p99', { atMost: 1 / 30 }, values);
const booked = (...values: number[]) => countedFigure('tickets booked', 1, values);

describe('the interval of a median', () => {
  it('needs six slices for 95 %', () => {
    expect(medianInterval(upTo(5))).toBeNull();
    expect(medianInterval(upTo(6))).toEqual([1, 6]);
  });

  // The ranks are those of the published tables, e.g. Conover, Practical Nonparametric Statistics, table A3.
  it.each([
    [8, [1, 8]],
    [9, [2, 8]],
    [10, [2, 9]],
    [12, [3, 10]],
    [18, [5, 14]],
    [20, [6, 15]],
    [100, [40, 61]],
  ])('of %i slices leaves out as many at each end as 95 % allow', (size, interval) => {
    expect(medianInterval(upTo(size))).toEqual(interval);
  });

  it('holds the true median in 95 of 100 samples, and is not much wider than that takes', () => {
    const random = randomNumbers(1);
    const samples = Array.from({ length: 4_000 }, () => Array.from({ length: 10 }, () => random() ** 3));
    const holding = samples.filter((sample) => {
      const [low, high] = medianInterval(sample)!;
      return low <= 0.125 && high >= 0.125;
    });
    // Exactly 0.9785 for ten; a standard error of the count is 0.0023.
    expect(holding.length / samples.length).toBeGreaterThan(0.97);
    expect(holding.length / samples.length).toBeLessThan(0.987);
  });
});

describe('a figure of slices', () => {
  it('is met where the whole interval reaches the target', () => {
    expect(figure([5, 6, 7, 6, 6, 8])).toEqual({
      name: 'speed',
      target: '>= 5',
      value: 6,
      interval: [5, 8],
      slices: 6,
      verdict: 'met',
    });
  });

  it('is missed where the whole interval falls short', () => {
    expect(figure([1, 2, 3, 4, 4, 4.99]).verdict).toBe('missed');
  });

  it('is undecided where the interval spans the target, whatever the median says', () => {
    expect(figure([4.9, 6, 6, 6, 6, 6])).toMatchObject({ value: 6, verdict: 'undecided' });
  });

  it('is undecided where there are too few slices to say', () => {
    expect(figure([50, 50, 50])).toMatchObject({
      value: 50,
      interval: null,
      slices: 3,
      verdict: 'undecided',
    });
    expect(figure([])).toMatchObject({ value: null, interval: null, slices: 0, verdict: 'undecided' });
  });

  it('is not spoilt by one slice in nine that met a hiccup of the machine', () => {
    expect(figure([6, 6, 6, 6, 0.1, 6, 6, 6, 6])).toMatchObject({ interval: [6, 6], verdict: 'met' });
  });

  it('that must be small is met from below', () => {
    expect(small(Array(6).fill(0.03))).toMatchObject({ target: '<= 1/30', verdict: 'met' });
    expect(small(Array(6).fill(0.04)).verdict).toBe('missed');
  });

  it('is judged before it is rounded, and a slice without a value is none', () => {
    expect(figure(Array(6).fill(4.9999))).toMatchObject({ value: 5, verdict: 'missed' });
    expect(figure([Number.NaN, 6, 6, 6, 6, 6]).slices).toBe(5);
  });
});

describe('a figure of counts', () => {
  it('is met if every run counted it, however few runs there were', () => {
    expect(booked(1)).toEqual({
      name: 'tickets booked',
      target: '= 1',
      value: 1,
      interval: null,
      slices: 1,
      verdict: 'met',
    });
  });

  it('is missed by one run in many, and shows the worst', () => {
    expect(booked(1, 3, 1, 0)).toMatchObject({ value: 3, verdict: 'missed' });
  });

  it('says nothing of no runs', () => {
    expect(booked()).toMatchObject({ value: null, verdict: 'undecided' });
  });
});

it('a lock that failed has missed its figure without a value', () => {
  expect(slicedFigure('Jain', { atLeast: 0.99 }, 'failed')).toMatchObject({ value: null, verdict: 'missed' });
});

it('a verdict takes the target itself for reached', () => {
  expect(verdictOf([5, 5], { atLeast: 5 })).toBe('met');
  expect(verdictOf([5, 5], { atMost: 5 })).toBe('met');
  expect(verdictOf([4, 5], { atLeast: 5 })).toBe('undecided');
});
