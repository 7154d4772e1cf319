import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { describe, expect, it } from 'vitest';

import { control } from '#bench/contenders.ts';
import { figuresOf, judgedWith } from '#bench/figures.ts';
import type { Results } from '#bench/results.ts';

import { crowdOf, runOf } from './sample.ts';

function figure(start: string, results: Partial<Results>): Figure {
  const all = figuresOf({ runs: [], bareTrips: [], crowds: [], ...results });
  const found = all.filter(({ name }) => name.startsWith(start));
  expect(found).toHaveLength(1);
  return found[0]!;
}

const waiting = (contender: string, p99: number) =>
  runOf({ contender, workload: '4x16', waitMs: { p50: 0, p99, max: p99 } });

function verdictOfJain(jain: (repeat: number) => number, repeats = 6): string {
  const runs = Array.from({ length: repeats }, (_, repeat) => runOf({ repeat, jain: jain(repeat) }));
  return figure('4 x 250: Jain', { runs }).verdict;
}

function namesOfFigures(run: Parameters<typeof runOf>[0]): string[] {
  return figuresOf({ runs: [runOf(run)], bareTrips: [], crowds: [] }).map(({ name }) => name);
}

describe('a figure', () => {
  it('compares repeat by repeat with the peer of the best median, and takes the median of that', () => {
    const rates: Record<string, number[]> = {
      queue: [30_000, 40_000, 50_000],
      // The best one once, by luck.
      redlock: [500, 9_000, 100],
      'redis-semaphore': [1_000, 1_250, 1_000],
      // Ours, and so no peer, however fast.
      simple: [90_000, 90_000, 90_000],
    };
    const runs = Object.entries(rates).flatMap(([contender, values]) =>
      values.map((grantsPerSecond, repeat) => runOf({ contender, repeat, grantsPerSecond })),
    );
    expect(figure('4 x 250: grants/s', { runs })).toMatchObject({
      value: 32,
      slices: 3,
      target: '>= 100',
    });
  });

  it('is met, missed or undecided by its interval over the repeats', () => {
    expect(verdictOfJain(() => 0.99)).toBe('met');
    expect(verdictOfJain(() => 0.9899)).toBe('missed');
    expect(verdictOfJain((repeat) => 0.988 + repeat / 1_000)).toBe('undecided');
    expect(verdictOfJain(() => 1, 3)).toBe('undecided');
  });

  it('goes on with ours and the peers that were the best while all of them were measured', () => {
    const full = [0, 1, 2].flatMap((repeat) => [
      runOf({ repeat, grantsPerSecond: 3_000 }),
      runOf({ repeat, contender: 'redlock', grantsPerSecond: 100, waitMs: { p50: 1, p99: 50, max: 50 } }),
      runOf({ repeat, contender: 'verrou', grantsPerSecond: 90, waitMs: { p50: 1, p99: 40, max: 40 } }),
      runOf({
        repeat,
        contender: 'redis-semaphore',
        grantsPerSecond: 80,
        waitMs: { p50: 1, p99: 60, max: 60 },
      }),
    ]);
    const judged = judgedWith('4x250', { runs: full, bareTrips: [], crowds: [] });
    expect(judged).toEqual(['queue', 'redlock', 'verrou']);
    // From then on redlock is slower than those that are not measured any more, and stays the one to compare with.
    const later = [3, 4, 5].flatMap((repeat) => [
      runOf({ repeat, grantsPerSecond: 3_000 }),
      runOf({ repeat, contender: 'redlock', grantsPerSecond: 60 }),
      runOf({ repeat, contender: 'verrou', grantsPerSecond: 61 }),
    ]);
    expect(figure('4 x 250: grants/s', { runs: [...full, ...later] })).toMatchObject({
      value: 40,
      slices: 6,
    });
  });

  it('of waiting compares with the peer whose waits are the shortest', () => {
    const runs = [waiting('queue-uncoalesced', 20), waiting('redlock', 900), waiting('verrou', 100)];
    expect(figure('4 x 16, no coalescing: wait p99', { runs })).toMatchObject({ value: 0.2 });
  });

  it('is judged with an empty critical section', () => {
    const runs = [runOf({ sectionMs: 2, jain: 0.5 }), runOf({ sectionMs: 0, jain: 0.999 })];
    expect(figure('4 x 250: Jain', { runs }).value).toBe(0.999);
  });

  it('of a hand-over is measured by bare round trips of the same repeat', () => {
    const runs = [0, 1, 2].map((repeat) =>
      runOf({
        workload: 'hand-over',
        sectionMs: 2,
        repeat,
        handOverMs: { between: { p50: 3, p99: 9 }, within: { p50: 0, p99: 0 } },
      }),
    );
    const bareTrips = [1, 2, 3].map((p50Ms, repeat) => ({ repeat, pairs: 9, p50Ms, p99Ms: 1 }));
    expect(figure('hand-over', { runs, bareTrips })).toMatchObject({ value: 1.5, slices: 3 });
  });

  it('of a crowd is that of the worse of the two queue locks', () => {
    const crowds = [
      crowdOf({ contender: 'queue', heapBytesPerWaiter: 1_000 }),
      crowdOf({ contender: 'queue-uncoalesced', heapBytesPerWaiter: 3_000 }),
      crowdOf({ contender: 'redlock', heapBytesPerWaiter: 9_000 }),
    ];
    expect(figure('10,000 waiters: bytes of heap', { crowds })).toMatchObject({ value: 3_000 });
  });

  it('is left out without peers, or without ours', () => {
    expect(namesOfFigures({})).toEqual([
      '4 x 250: Jain index over waiters',
      '4 x 250: round trips per grant',
    ]);
    expect(namesOfFigures({ contender: 'redlock' })).toEqual([]);
  });

  it('is missed, without a value, when our lock let two in at once, in whichever run', () => {
    const runs = [runOf({}), runOf({ workload: '4x1', sectionMs: 2, overlaps: 1 })];
    expect(figure('4 x 250: Jain', { runs })).toMatchObject({ value: null, verdict: 'missed' });
  });

  it('of a hand-over among many is taken through Redis, and within the process beside bare promises', () => {
    const crowds = [
      crowdOf({ contender: 'queue', handOverFewP50Ms: 1, handOverManyP50Ms: 3 }),
      crowdOf({ contender: 'queue-uncoalesced', handOverFewP50Ms: 10, handOverManyP50Ms: 11 }),
      crowdOf({ contender: control.key, handOverFewP50Ms: 2, handOverManyP50Ms: 4 }),
    ];
    expect(figure('10,000 waiters: p50 of a hand-over by Redis', { crowds }).value).toBe(1.1);
    expect(figure('10,000 waiters: p50 of a pass', { crowds })).toMatchObject({ value: 1.5 });
  });

  it('of a crowd is missed, without a value, when waiters failed', () => {
    const crowds = [crowdOf({}), crowdOf({ contender: 'queue-uncoalesced', failures: 3 })];
    expect(figure('10,000 waiters: bytes of heap', { crowds })).toMatchObject({
      value: null,
      verdict: 'missed',
    });
  });

  it('does not count a peer that was no lock', () => {
    const runs = [
      runOf({ grantsPerSecond: 3_000 }),
      runOf({ contender: 'redlock', grantsPerSecond: 100 }),
      runOf({ contender: 'verrou', grantsPerSecond: 9_000, overlaps: 4 }),
    ];
    expect(figure('4 x 250: grants/s', { runs }).value).toBe(30);
  });
});
