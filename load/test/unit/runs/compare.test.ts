import { plain } from '@lastseat/lab-frame/paint.ts';
import { describe, expect, it } from 'vitest';

import { compareRuns, differencesOf } from '#src/runs/compare/changes.ts';
import { inWords } from '#src/runs/compare/words.ts';
import type { Cell } from '#src/runs/run.ts';

import { cellOf, runOf } from './sample.ts';

const RATES = [980, 990, 1_000, 1_010, 1_020, 1_030];
const times = (factor: number): number[] => RATES.map((rate) => rate * factor);

describe('two runs', () => {
  it('that are alike show no difference', () => {
    const change = compare(cellOf(RATES), cellOf(RATES.toReversed()));
    expect(change.throughput).toMatchObject({ verdict: 'no difference' });
    expect(change.throughput?.ratio).toBeCloseTo(1, 2);
    expect(change.isRegression).toBe(false);
  });

  it('are told apart where their slices do not overlap, in either direction', () => {
    const slower = compare(cellOf(RATES), cellOf(times(0.8)));
    expect(slower.throughput).toMatchObject({ verdict: 'worse' });
    expect(slower.throughput?.ratio).toBeCloseTo(0.8, 1);
    expect(slower.isRegression).toBe(true);
    const faster = compare(cellOf(RATES), cellOf(times(1.3)));
    expect(faster).toMatchObject({ throughput: { verdict: 'better' }, isRegression: false });
  });

  it('differ for the worse where buyers wait longer, however many are served', () => {
    const change = compare(cellOf(RATES, { p99: 10 }), cellOf(RATES, { p99: 20 }));
    expect(change).toMatchObject({ p99: { ratio: 2, verdict: 'worse' }, isRegression: true });
  });

  it('are undecided with four slices', () => {
    const change = compare(cellOf([1, 1, 1, 1]), cellOf([9, 9, 9, 9]));
    expect(change).toMatchObject({ throughput: { ratio: null, verdict: 'undecided' }, isRegression: false });
    expect(textOf(cellOf([1, 1, 1, 1]), cellOf([9, 9, 9, 9]))).toContain('Nothing can be told');
  });

  it('make no regression of the no-op route: there the machine has changed', () => {
    const noop = { strategy: 'no-op' } as const;
    expect(compare(cellOf(RATES, noop), cellOf(times(0.5), noop)).isRegression).toBe(false);
  });

  it('make one of a cell that fails where it did not, and of nothing else that has no throughput', () => {
    const failed = cellOf(RATES, {
      checks: [{ check: 'oversold', verdict: 'failed', detail: 'sold 2 of 1' }],
    });
    expect(compare(cellOf(RATES), failed)).toMatchObject({
      note: 'failed in B: sold 2 of 1',
      throughput: null,
      isRegression: true,
    });
    expect(compare(failed, failed).isRegression).toBe(false);
    expect(compare(failed, cellOf(RATES))).toMatchObject({
      note: 'failed in A, exact in B',
      isRegression: false,
    });
    const oversold = cellOf(RATES, {
      strategy: 'no-lock',
      sells: 'too many',
      checks: [{ check: 'oversold', verdict: 'failed', detail: 'sold 2 of 1', isExpected: true }],
    });
    expect(compare(oversold, oversold)).toMatchObject({ note: 'oversold in both', isRegression: false });
  });

  it('name the cells that only one of them has', () => {
    const changes = compareRuns(runOf([cellOf(RATES)]), runOf([cellOf(RATES, { replicas: 4 })]));
    expect(changes.map(({ cell, note }) => [cell.replicas, note])).toEqual([
      [2, 'only in A'],
      [4, 'only in B'],
    ]);
  });

  it('are compared fault by fault', () => {
    const beside = cellOf(times(0.2), { fault: 'kill-holder' });
    const [alone, struck] = compareRuns(runOf([cellOf(RATES), beside]), runOf([cellOf(RATES), beside]));
    expect([alone?.cell.fault, struck?.cell.fault]).toEqual([undefined, 'kill-holder']);
    expect(struck).toMatchObject({ throughput: { verdict: 'no difference' }, note: null });
    expect(compareRuns(runOf([cellOf(RATES)]), runOf([beside])).map(({ note }) => note)).toEqual([
      'only in A',
      'only in B',
    ]);
  });

  it('name what else differs between them', () => {
    const [a, b] = [runOf([]), runOf([])];
    b.circumstances.machine.cores = 8;
    expect(differencesOf(a, b)).toEqual(['cores: 2 in A, 8 in B']);
    const [open, capped] = [runOf([]), runOf([])];
    open.settings.arrivals = { perS: 500, pattern: 'constant' };
    capped.limits = { nginx: 1 };
    expect(differencesOf(a, open)).toEqual([
      expect.stringMatching(/^load: a closed loop.* in A, an open loop: 500 requests a second.* in B$/),
    ]);
    expect(differencesOf(a, capped)).toEqual(['CPUs of each container: no limit in A, nginx 1 in B']);
  });

  it('are told in a table', () => {
    const text = textOf(cellOf(RATES), cellOf(times(0.8)));
    expect(text).toMatch(/rush: row-lock, 2 replicas, 64 connections +0\.80 \(0\.\d\d\.\.0\.\d\d\) +worse/);
    expect(text).toContain('1 cell got worse.');
  });
});

function compare(a: Cell, b: Cell) {
  return compareRuns(runOf([a]), runOf([b]))[0]!;
}

function textOf(a: Cell, b: Cell): string {
  const [before, after] = [runOf([a]), runOf([b])];
  return inWords(before, after, compareRuns(before, after), [], plain);
}
