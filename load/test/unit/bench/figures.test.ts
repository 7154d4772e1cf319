import { describe, expect, it } from 'vitest';

import { figuresOf, type Figure } from '#src/bench/figures.ts';
import type { Measurements } from '#src/bench/measurements.ts';

import { cell, exactRun, nothing, rush, sweepStep } from './measured.ts';

const SPEED = 'batched-lock / atomic-update: bookings/s at 64 connections';
const TAIL = 'batched-lock / atomic-update: p99 at 64 connections';

describe('a ratio', () => {
  it('is made within each repeat before the median is taken', () => {
    // The second repeat met a machine that was ten times as slow. The ratio of the medians would be 500/150.
    const cells = [
      ...pair({ repeat: 1, batched: 1_000, atomic: 200 }),
      ...pair({ repeat: 2, batched: 100, atomic: 10 }),
      ...pair({ repeat: 3, batched: 500, atomic: 150 }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: 5, target: '>= 5', met: true });
  });

  it('leaves out a repeat of which one side is void', () => {
    const cells = [
      ...pair({ repeat: 1, batched: 600, atomic: 100 }),
      cell({}, { repeat: 2, bookingsPerS: 1 }),
      cell({ guard: 'atomic-update' }, { repeat: 2, bookingsPerS: 1_000, void: 'rows and answers differ' }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: 6, met: true });
  });

  it('has no value and is not met if no repeat can be believed', () => {
    const cells = [
      cell({}, { void: 'nothing was answered' }),
      cell({ guard: 'atomic-update' }, { bookingsPerS: 1 }),
    ];
    expect(figure({ cells }, SPEED)).toMatchObject({ value: null, met: false });
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

  it('is judged before it is rounded', () => {
    const cells = pair({ repeat: 1, batched: 4_999, atomic: 1_000 });
    expect(figure({ cells }, SPEED)).toMatchObject({ value: 5, met: false });
  });

  it('of latencies is met by being small', () => {
    const cells = [
      cell({}, { latencyMs: { p50: 1, p99: 10, max: 10 } }),
      cell({ guard: 'atomic-update' }, { latencyMs: { p50: 1, p99: 30, max: 30 } }),
    ];
    expect(figure({ cells }, TAIL)).toMatchObject({ value: 0.333, target: '<= 0.333', met: true });
  });

  it('of latencies has no value if nothing was booked in the window', () => {
    const cells = [cell({}, { latencyMs: null }), cell({ guard: 'atomic-update' })];
    expect(figure({ cells }, TAIL)).toMatchObject({ value: null, met: false });
  });

  it('compares a guard with itself under another load', () => {
    const cells = [
      cell({ connections: 512 }, { bookingsPerS: 990 }),
      cell({ connections: 64 }, { bookingsPerS: 1_000 }),
    ];
    const name = 'batched-lock: bookings/s at 512 / at 64 connections';
    expect(figure({ cells }, name)).toMatchObject({ value: 0.99, met: false });
  });
});

describe('of 10,000 buyers for one ticket', () => {
  const BOOKED = '10,000 buyers for one ticket: tickets booked';

  it('exactly one may have it', () => {
    expect(figure({ rushes: [rush({})] }, BOOKED)).toMatchObject({ value: 1, met: true });
  });

  it.each([
    ['two answers', rush({ booked: 2 }), 2],
    ['two rows', rush({ rows: 2 }), 2],
    ['none', rush({ booked: 0, rows: 0 }), 0],
  ])('one repeat with %s among many spoils it', (_what, bad, value) => {
    expect(figure({ rushes: [rush({}), bad, rush({})] }, BOOKED)).toMatchObject({ value, met: false });
  });

  it('the refusals are compared with the no-op route of the same repeat', () => {
    const rushes = [
      rush({ refusalsPerS: 700, noopPerS: 1_000 }),
      rush({ refusalsPerS: 90, noopPerS: 100 }),
      rush({ refusalsPerS: 850, noopPerS: 1_000 }),
    ];
    const name = '10,000 buyers for one ticket: refusals/s / no-op route';
    expect(figure({ rushes }, name)).toMatchObject({ value: 0.85, met: true });
  });
});

describe('more and fewer replicas', () => {
  const NAME = 'batched-lock at home: bookings/s at worst / best of 1 to 8 replicas';

  it('are judged by the median at the worst number of them', () => {
    const sweeps = [
      ...[900, 1_000, 5_000].map((rate, i) => sweepStep(1, rate, { repeat: i + 1 })),
      ...[100, 860, 870].map((rate, i) => sweepStep(8, rate, { repeat: i + 1 })),
    ];
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: 0.86, met: true });
  });

  it("are judged by the service's own route", () => {
    const sweeps = [
      sweepStep(1, 1_000),
      sweepStep(8, 900),
      sweepStep(1, 2_000, { guard: 'batched-lock' }),
      sweepStep(8, 100, { guard: 'no-op' }),
    ];
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: 0.9, met: true });
  });

  it('say nothing if one number was never measured soundly', () => {
    const sweeps = [sweepStep(1, 900), sweepStep(8, 10, { void: 'lost' })];
    expect(figure({ sweeps }, NAME)).toMatchObject({ value: null, met: false });
  });
});

describe('exactness', () => {
  const OVERSOLD = 'oversold runs, of guards that promise never to';
  const UNDERSOLD = 'undersold runs, of all guards';

  it('counts no oversell of a guard that does not promise to prevent it', () => {
    const exactness = [
      exactRun({}),
      exactRun({ guard: 'no-lock', guarantee: 'none', oversold: 5 }),
      exactRun({ guard: 'simple-lock', guarantee: 'while-lease-held', oversold: 1 }),
    ];
    expect(figure({ exactness }, OVERSOLD)).toMatchObject({ value: 0, target: '= 0', met: true });
  });

  it('counts every other one', () => {
    const exactness = [exactRun({ oversold: 1 }), exactRun({}), exactRun({ oversold: 3 })];
    expect(figure({ exactness }, OVERSOLD)).toMatchObject({ value: 2, met: false });
  });

  it('forgives nobody for selling too few', () => {
    const exactness = [exactRun({}), exactRun({ guard: 'no-lock', guarantee: 'none', undersold: 1 })];
    expect(figure({ exactness }, UNDERSOLD)).toMatchObject({ value: 1, met: false });
  });
});

function pair({ repeat, batched, atomic }: { repeat: number; batched: number; atomic: number }) {
  return [
    cell({ guard: 'batched-lock' }, { repeat, bookingsPerS: batched }),
    cell({ guard: 'atomic-update' }, { repeat, bookingsPerS: atomic }),
  ];
}

function figure(measurements: Partial<Measurements>, name: string): Figure | undefined {
  return figuresOf({ ...nothing(), ...measurements }).find((figure) => figure.name === name);
}
