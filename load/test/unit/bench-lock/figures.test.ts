import { describe, expect, it } from 'vitest';

import { control } from '#src/bench-lock/contenders.ts';
import { figuresOf, type Figure } from '#src/bench-lock/figures.ts';
import type { Results } from '#src/bench-lock/results.ts';

import { crowdOf, runOf } from './sample.ts';

function figure(start: string, results: Partial<Results>): Figure {
  const all = figuresOf({ runs: [], bareTrips: [], crowds: [], ...results });
  const found = all.filter(({ name }) => name.startsWith(start));
  expect(found).toHaveLength(1);
  return found[0]!;
}

const waiting = (contender: string, p99: number) =>
  runOf({ contender, workload: '4x16', waitMs: { p50: 0, p99, max: p99 } });

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
      min: 30,
      max: 50,
      target: '>= 30',
      met: true,
    });
  });

  it('is missed just beyond its target', () => {
    const runs = [runOf({ jain: 0.9899 })];
    expect(figure('4 x 250: Jain', { runs })).toMatchObject({ value: 0.9899, target: '>= 0.99', met: false });
    expect(figure('4 x 250: Jain', { runs: [runOf({ jain: 0.99 })] }).met).toBe(true);
  });

  it('of waiting compares with the peer whose waits are the shortest', () => {
    const runs = [waiting('queue-uncoalesced', 20), waiting('redlock', 900), waiting('verrou', 100)];
    expect(figure('4 x 16, no coalescing: wait p99', { runs })).toMatchObject({ value: 0.2, met: true });
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
    expect(figure('hand-over', { runs, bareTrips })).toMatchObject({ value: 1.5, min: 1, max: 3, met: true });
  });

  it('of a crowd is that of the worse of the two queue locks', () => {
    const crowds = [
      crowdOf({ contender: 'queue', heapBytesPerWaiter: 1_000 }),
      crowdOf({ contender: 'queue-uncoalesced', heapBytesPerWaiter: 3_000 }),
      crowdOf({ contender: 'redlock', heapBytesPerWaiter: 9_000 }),
    ];
    expect(figure('10,000 waiters: bytes of heap', { crowds })).toMatchObject({ value: 3_000, met: false });
  });

  it('is neither met nor missed without peers, or without ours', () => {
    const unknown = { value: null, min: null, max: null, met: null };
    expect(figure('4 x 250: grants/s', { runs: [runOf({})] })).toMatchObject(unknown);
    expect(figure('4 x 250: grants/s', { runs: [runOf({ contender: 'redlock' })] })).toMatchObject(unknown);
  });

  it('is missed, without a value, when our lock let two in at once, in whichever run', () => {
    const runs = [runOf({}), runOf({ workload: '4x1', sectionMs: 2, overlaps: 1 })];
    expect(figure('4 x 250: Jain', { runs })).toMatchObject({ value: null, met: false });
  });

  it('of a hand-over among many is taken through Redis, and within the process beside bare promises', () => {
    const crowds = [
      crowdOf({ contender: 'queue', handOverFewP50Ms: 1, handOverManyP50Ms: 3 }),
      crowdOf({ contender: 'queue-uncoalesced', handOverFewP50Ms: 10, handOverManyP50Ms: 11 }),
      crowdOf({ contender: control.key, handOverFewP50Ms: 2, handOverManyP50Ms: 4 }),
    ];
    expect(figure('10,000 waiters: p50 of a hand-over by Redis', { crowds }).value).toBe(1.1);
    expect(figure('10,000 waiters: p50 of a pass', { crowds })).toMatchObject({ value: 1.5, met: false });
  });

  it('of a crowd is missed, without a value, when waiters failed', () => {
    const crowds = [crowdOf({}), crowdOf({ contender: 'queue-uncoalesced', failures: 3 })];
    expect(figure('10,000 waiters: bytes of heap', { crowds })).toMatchObject({ value: null, met: false });
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
