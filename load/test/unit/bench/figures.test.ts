import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { describe, expect, it } from 'vitest';

import { figuresOf } from '#src/bench/figures.ts';
import { nothing, type Measurements } from '#src/bench/measurements.ts';

import { cell, exactRun, rush, sweepStep } from './measured.ts';

const SPEED = 'batched-update / atomic-update: bookings/s at 64 connections';
const TAIL = 'batched-update / atomic-update: p99 at 64 connections';

describe('a ratio', () => {
  it('is made within each repeat before the median is taken', () => {
    // The second repeat met a machine that was ten times as slow. The ratio of the medians would be 500/150.
    const cells = [
      ...pair({ repeat: 1, batched: 1_000, atomic: 200 }),
      ...pair({ repeat: 2, batched: 100, atomic: 10 }),
      ...pair({ repeat: 3, batched: 500, atomic: 150 }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: 5, target: '>= 5', slices: 3 });
  });

  it('is met or missed by its interval over the repeats, and undecided by a few of them', () => {
    expect(figure({ cells: sixPairs(500) }, SPEED)).toMatchObject({ interval: [5.01, 5.06], verdict: 'met' });
    expect(figure({ cells: sixPairs(400) }, SPEED)?.verdict).toBe('missed');
    expect(figure({ cells: sixPairs(497) }, SPEED)?.verdict).toBe('undecided');
    expect(figure({ cells: sixPairs(900).slice(0, 6) }, SPEED)).toMatchObject({
      value: 9.02,
      interval: null,
      verdict: 'undecided',
    });
  });

  it('leaves out a repeat of which one side is void', () => {
    const cells = [
      ...pair({ repeat: 1, batched: 600, atomic: 100 }),
      cell({}, { repeat: 2, bookingsPerS: 1 }),
      cell({ guard: 'atomic-update' }, { repeat: 2, bookingsPerS: 1_000, void: 'rows and answers differ' }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: 6, slices: 1 });
  });

  it('has no value and is undecided if no repeat can be believed', () => {
    const cells = [
      cell({}, { void: 'nothing was answered' }),
      cell({ guard: 'atomic-update' }, { bookingsPerS: 1 }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: null, slices: 0, verdict: 'undecided' });
  });

  it('is left out if the bench was not asked for one of its sides', () => {
    expect(figuresOf({ ...nothing(), cells: [cell({})] })).toEqual([]);
  });

  it('does not take the other loads of a guard for its own', () => {
    const cells = [
      ...pair({ repeat: 1, batched: 500, atomic: 100 }),
      cell({ connections: 8 }, { bookingsPerS: 9_000 }),
      cell({ events: 1_000 }, { bookingsPerS: 9_000 }),
    ];
    expect(figure({ cells }, SPEED)?.value).toBe(5);
  });

  it('of latencies is met by being small', () => {
    const cells = [1, 2, 3, 4, 5, 6].flatMap((repeat) => [
      cell({}, { repeat, latencyMs: { p50: 1, p99: 10, max: 10 } }),
      cell({ guard: 'atomic-update' }, { repeat, latencyMs: { p50: 1, p99: 30, max: 30 } }),
    ]);
    expect(figure({ cells }, TAIL)).toMatchObject({ value: 0.333, target: '<= 0.333', verdict: 'met' });
  });

  it('of latencies has no value if nothing was booked in the window', () => {
    const cells = [cell({}, { latencyMs: null }), cell({ guard: 'atomic-update' })];
    expect(figure({ cells }, TAIL)).toMatchObject({ value: null, verdict: 'undecided' });
  });

  it('compares a guard with itself under another load', () => {
    const cells = [
      cell({ connections: 512 }, { bookingsPerS: 990 }),
      cell({ connections: 64 }, { bookingsPerS: 1_000 }),
    ];
    expect(figure({ cells }, 'batched-update: bookings/s at 512 / at 64 connections')?.value).toBe(0.99);
  });
});

describe('what one hot event sells, beside what bounds it', () => {
  const NAME = 'batched-update at home: bookings/s at 64 connections / what commits and CPU allow';
  it('is judged by the commits where these are slow: the crowd over two of them', () => {
    const slowDisk = sale({ booked: 3_000, noop: 18_000, commitMs: 10 });
    expect(figure(slowDisk, NAME)).toMatchObject({ value: 0.938, verdict: 'met' });
    expect(
      figure({ ...slowDisk, ...sale({ booked: 2_000, noop: 18_000, commitMs: 10 }) }, NAME),
    ).toMatchObject({ value: 0.625, verdict: 'missed' });
  });

  it('is judged by the processors where the disk is fast: three quarters of the no-op route', () => {
    expect(figure(sale({ booked: 13_500, noop: 18_000, commitMs: 0.1 }), NAME)?.value).toBe(1);
    expect(figure(sale({ booked: 9_000, noop: 18_000, commitMs: 0.1 }), NAME)?.verdict).toBe('missed');
  });

  it('leaves out a repeat of which one part is void, and is no figure without commits', () => {
    const all = sale({ booked: 3_000, noop: 18_000, commitMs: 10 });
    const cells = all.cells.map((cell) => (cell.repeat === 2 ? { ...cell, void: 'lost' } : cell));
    expect(figure({ ...all, cells }, NAME)?.slices).toBe(5);
    expect(figure({ cells: all.cells }, NAME)).toBeUndefined();
  });
});

describe('of 10,000 buyers for one ticket', () => {
  const BOOKED = '10,000 buyers for one ticket: tickets booked';

  it('exactly one may have it', () => {
    expect(figure({ rushes: [rush({})] }, BOOKED)).toMatchObject({ value: 1, verdict: 'met' });
  });

  it.each([
    ['two answers', rush({ booked: 2 }), 2],
    ['two rows', rush({ rows: 2 }), 2],
    ['none', rush({ booked: 0, rows: 0 }), 0],
  ])('one repeat with %s among many spoils it', (_what, bad, value) => {
    expect(figure({ rushes: [rush({}), bad, rush({})] }, BOOKED)).toMatchObject({ value, verdict: 'missed' });
  });

  it('the refusals are compared with the no-op route of the same repeat', () => {
    const rushes = [
      rush({ refusalsPerS: 700, noopPerS: 1_000 }),
      rush({ refusalsPerS: 90, noopPerS: 100 }),
      rush({ refusalsPerS: 850, noopPerS: 1_000 }),
    ];
    const name = '10,000 buyers for one ticket: refusals/s / no-op route';
    expect(figure({ rushes }, name)).toMatchObject({ value: 0.85, slices: 3 });
  });
});

describe('more and fewer replicas', () => {
  const NAME = 'batched-update at home: bookings/s at worst / best of 1 to 8 replicas';

  it('are judged repeat by repeat, the number with the worst median beside the one with the best', () => {
    const rates: Record<number, number[]> = {
      // The best one once, by luck.
      1: [800, 5_000, 840, 800, 800, 800],
      2: [1_000, 1_000, 1_000, 1_000, 1_000, 100],
      8: [900, 900, 900, 900, 900, 900],
    };
    const sweeps = Object.entries(rates).flatMap(([replicas, values]) =>
      values.map((rate, index) => sweepStep(Number(replicas), rate, { repeat: index + 1 })),
    );
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: 0.82, interval: [0.8, 8], verdict: 'undecided' });
  });

  it('are never better than undecided where one number was measured after the other', () => {
    const sweeps = [1, 8].flatMap((replicas) =>
      [1, 2, 3, 4, 5, 6].map((repeat) => sweepStep(replicas, 1_000, { repeat, isInterleaved: false })),
    );
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: 1, interval: null, verdict: 'undecided' });
  });

  it("are judged by the service's own route", () => {
    const sweeps = [
      sweepStep(1, 1_000),
      sweepStep(8, 900),
      sweepStep(1, 2_000, { guard: 'batched-update' }),
      sweepStep(8, 100, { guard: 'no-op' }),
    ];
    expect(figure({ sweeps }, NAME)?.value).toBe(0.9);
  });

  it('say nothing if one number was never measured soundly', () => {
    const sweeps = [sweepStep(1, 900), sweepStep(8, 10, { void: 'lost' })];
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: null, verdict: 'undecided' });
  });
});

it('two guards are compared at each number of replicas, at home and spread', () => {
  const comparisons = [1, 8].flatMap((replicas) =>
    [1, 2, 3, 4, 5, 6].flatMap((repeat) => [
      sweepStep(replicas, 900 + replicas, { repeat, guard: 'row-lock at home' }),
      sweepStep(replicas, 1_000, { repeat, guard: 'optimistic at home' }),
      sweepStep(replicas, 500, { repeat, guard: 'row-lock' }),
      sweepStep(replicas, 1_000, { repeat, guard: 'optimistic' }),
    ]),
  );
  const all = figuresOf({ ...nothing(), comparisons });
  expect(all.map(({ name, value, verdict }) => [name, value, verdict])).toEqual([
    ['row-lock / optimistic: bookings/s at home, 64 connections, 1 replica', 0.901, 'met'],
    ['row-lock / optimistic: bookings/s spread, 64 connections, 1 replica', 0.5, 'missed'],
    ['row-lock / optimistic: bookings/s at home, 64 connections, 8 replicas', 0.908, 'met'],
    ['row-lock / optimistic: bookings/s spread, 64 connections, 8 replicas', 0.5, 'missed'],
  ]);
});

describe('exactness', () => {
  const OVERSOLD = 'tickets oversold in a run, by guards that promise never to';
  const UNDERSOLD = 'tickets undersold in a run, by any guard';

  it('counts no oversell of a guard that does not promise to prevent it', () => {
    const exactness = [
      exactRun({}),
      exactRun({ guard: 'no-lock', guarantee: 'none', oversold: 5 }),
      exactRun({ guard: 'simple-lock', guarantee: 'while-lease-held', oversold: 1 }),
    ];
    expect(figure({ exactness }, OVERSOLD)).toMatchObject({ value: 0, target: '= 0', verdict: 'met' });
  });

  it('counts every other one', () => {
    const exactness = [exactRun({ oversold: 1 }), exactRun({}), exactRun({ oversold: 3 })];
    expect(figure({ exactness }, OVERSOLD)).toMatchObject({ value: 3, slices: 3, verdict: 'missed' });
  });

  it('forgives nobody for selling too few', () => {
    const exactness = [exactRun({}), exactRun({ guard: 'no-lock', guarantee: 'none', undersold: 1 })];
    expect(figure({ exactness }, UNDERSOLD)).toMatchObject({ value: 1, verdict: 'missed' });
  });
});

function sixPairs(batched: number) {
  return [1, 2, 3, 4, 5, 6].flatMap((repeat) => pair({ repeat, batched: batched + repeat, atomic: 100 }));
}

function pair({ repeat, batched, atomic }: { repeat: number; batched: number; atomic: number }) {
  return [
    cell({ guard: 'batched-update' }, { repeat, bookingsPerS: batched }),
    cell({ guard: 'atomic-update' }, { repeat, bookingsPerS: atomic }),
  ];
}

function figure(measurements: Partial<Measurements>, name: string): Figure | undefined {
  return figuresOf({ ...nothing(), ...measurements }).find((figure) => figure.name === name);
}

/** Six repeats of what one hot event sells at its home, with what bounds it. */
function sale({ booked, noop, commitMs }: { booked: number; noop: number; commitMs: number }) {
  const repeats = [1, 2, 3, 4, 5, 6];
  return {
    cells: repeats.flatMap((repeat) => [
      cell({ guard: 'batched-update at home' }, { repeat, bookingsPerS: booked }),
      cell({ guard: 'no-op' }, { repeat, bookingsPerS: noop }),
    ]),
    commitCycles: repeats.map((repeat) => ({ repeat, batch: 32, cycles: 100, ms: commitMs })),
  };
}
