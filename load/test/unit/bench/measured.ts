import type { Cell, ExactRun, Rush, SweepStep, Workload } from '#src/bench/measurements.ts';

/** Measurements as a test wants them: every field sound, except for those that it names. */

export function cell(workload: Partial<Workload>, rest: Partial<Cell> = {}): Cell {
  return {
    guard: 'batched-update',
    connections: 64,
    events: 1,
    repeat: 1,
    windowMs: 1_000,
    bookingsPerS: 1_000,
    refusalsPerS: 0,
    latencyMs: { p50: 1, p99: 2, max: 3 },
    cpuCores: null,
    started: 1_000,
    answered: 1_000,
    statuses: { 201: 1_000 },
    rows: 1_000,
    uncounted: 0,
    void: null,
    ...workload,
    ...rest,
  };
}

export function sweepStep(replicas: number, bookingsPerS: number, rest: Partial<SweepStep> = {}): SweepStep {
  const step = cell({ guard: 'batched-update at home' }, { bookingsPerS });
  return { ...step, replicas, isInterleaved: true, ...rest };
}

export function rush(rest: Partial<Rush>): Rush {
  return {
    repeat: 1,
    guard: 'batched-update',
    buyers: 10_000,
    connections: 512,
    booked: 1,
    rows: 1,
    refusalsPerS: 800,
    noopPerS: 1_000,
    void: null,
    ...rest,
  };
}

export function exactRun(rest: Partial<ExactRun>): ExactRun {
  return {
    guard: 'row-lock',
    guarantee: 'always',
    run: 1,
    raceWindowMs: 0,
    capacity: 20,
    confirmed: 20,
    oversold: 0,
    undersold: 0,
    void: null,
    ...rest,
  };
}
