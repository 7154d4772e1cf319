import { describe, expect, it } from 'vitest';

import { findViolations, handOvers } from '#bench/exclusivity.ts';

import { grantsOf } from './sample.ts';

describe('a lock that was one', () => {
  it('has holders who follow one another, in whichever process they are', () => {
    const one = grantsOf([
      [0, 0, 10, 12, 100],
      [1, 0, 16, 18, 102],
    ]);
    const other = grantsOf([[0, 0, 13, 15, 101]]);
    expect(findViolations([one, other])).toEqual({ overlaps: 0, tokensNotRising: 0 });
  });

  it('may have holders of different names at once', () => {
    const [one, other] = [grantsOf([[0, 0, 10, 20, 7]], 1), grantsOf([[0, 0, 12, 15, 5]], 2)];
    expect(findViolations([one, other])).toEqual({ overlaps: 0, tokensNotRising: 0 });
  });

  it('may have no tokens', () => {
    const grants = grantsOf([
      [0, 0, 1, 2],
      [0, 0, 3, 4],
    ]);
    expect(findViolations([grants])).toEqual({ overlaps: 0, tokensNotRising: 0 });
  });
});

describe('a broken lock', () => {
  it('is found out by two holders at once in different processes', () => {
    const [one, other] = [grantsOf([[0, 0, 10, 12]]), grantsOf([[0, 0, 11, 11.5]])];
    expect(findViolations([one, other]).overlaps).toBe(1);
  });

  it('is found out by a holder who outlasts several others', () => {
    const long = grantsOf([[0, 0, 10, 100]]);
    const short = grantsOf([
      [0, 0, 20, 21],
      [0, 0, 30, 31],
    ]);
    expect(findViolations([short, long]).overlaps).toBe(2);
  });

  it('is found out by tokens that stand still or go back', () => {
    const grants = grantsOf([
      [0, 0, 1, 2, 50],
      [0, 0, 3, 4, 50],
      [0, 0, 5, 6, 60],
      [0, 0, 7, 8, 55],
      [0, 0, 9, 10, 61],
    ]);
    expect(findViolations([grants])).toEqual({ overlaps: 0, tokensNotRising: 2 });
  });
});

describe('a hand-over', () => {
  it('lasts from leaving to entering, apart for the same process and another one, within the window', () => {
    const one = grantsOf([
      [0, 0, 10, 12],
      [1, 0, 12.5, 14],
    ]);
    const other = grantsOf([
      [0, 0, 15, 16],
      [0, 0, 40, 41],
    ]);
    expect(handOvers([one, other], 0, 30)).toEqual({
      withinMs: Float64Array.of(0.5),
      betweenMs: Float64Array.of(1),
    });
  });
});
