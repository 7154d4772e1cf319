import type { Cell, GuardName, Measurements, Rush, Workload } from './measurements.ts';
import { median, round } from './statistics.ts';

/** One line of what is to be reached. */
export interface Figure {
  name: string;
  /** Null if everything that it would be made of is void. */
  value: number | null;
  target: string;
  met: boolean;
}

interface Line {
  name: string;
  target: { sign: '>=' | '<=' | '='; bound: number };
  /** Undefined if the bench did not measure it, null if what it measured is void. */
  valueIn: (measurements: Measurements) => number | null | undefined;
}

const CONNECTIONS = 64;
const hot = (guard: GuardName, connections = CONNECTIONS): Workload => ({ guard, connections, events: 1 });
const spread = (guard: GuardName): Workload => ({ guard, connections: CONNECTIONS, events: 1_000 });
const speed = (cell: Cell): number => cell.bookingsPerS;
const slowest = (cell: Cell): number | undefined => cell.latencyMs?.p99;

const LINES: readonly Line[] = [
  {
    name: 'batched-lock / atomic-update: bookings/s at 64 connections',
    target: { sign: '>=', bound: 5 },
    valueIn: (all) => ratio(all, speed, hot('batched-lock'), hot('atomic-update')),
  },
  {
    name: 'batched-lock / simple-lock: bookings/s at 64 connections',
    target: { sign: '>=', bound: 12 },
    valueIn: (all) => ratio(all, speed, hot('batched-lock'), hot('simple-lock')),
  },
  {
    name: 'batched-lock at home / no-op route: answers/s at 64 connections',
    target: { sign: '>=', bound: 0.6 },
    valueIn: (all) => ratio(all, speed, hot('batched-lock at home'), hot('no-op')),
  },
  {
    name: 'batched-lock / atomic-update: p99 at 64 connections',
    target: { sign: '<=', bound: 1 / 3 },
    valueIn: (all) => ratio(all, slowest, hot('batched-lock'), hot('atomic-update')),
  },
  {
    name: 'batched-lock: bookings/s at 512 / at 64 connections',
    target: { sign: '>=', bound: 1 },
    valueIn: (all) => ratio(all, speed, hot('batched-lock', 512), hot('batched-lock', 64)),
  },
  {
    name: 'batched-lock / atomic-update: bookings/s on 1,000 events',
    target: { sign: '>=', bound: 0.8 },
    valueIn: (all) => ratio(all, speed, spread('batched-lock'), spread('atomic-update')),
  },
  {
    name: '10,000 buyers for one ticket: tickets booked',
    target: { sign: '=', bound: 1 },
    valueIn: ({ rushes }) => overBelievable(rushes, (good) => worstOf(good, 1)),
  },
  {
    name: '10,000 buyers for one ticket: refusals/s / no-op route',
    target: { sign: '>=', bound: 0.8 },
    valueIn: ({ rushes }) =>
      overBelievable(rushes, (good) => median(good.map((rush) => rush.refusalsPerS / rush.noopPerS))),
  },
  {
    name: 'batched-lock at home: bookings/s at worst / best of 1 to 8 replicas',
    target: { sign: '>=', bound: 0.85 },
    valueIn: ({ sweeps }) => worstToBest(sweeps.filter(({ guard }) => guard === 'batched-lock at home')),
  },
  {
    name: 'oversold runs, of guards that promise never to',
    target: { sign: '=', bound: 0 },
    valueIn: ({ exactness }) =>
      overBelievable(
        exactness.filter((run) => run.guarantee === 'always'),
        (good) => good.filter((run) => run.oversold > 0).length,
      ),
  },
  {
    name: 'undersold runs, of all guards',
    target: { sign: '=', bound: 0 },
    valueIn: ({ exactness }) =>
      overBelievable(exactness, (good) => good.filter((run) => run.undersold > 0).length),
  },
];

/** One entry for each line that the bench has measured. A line of which nothing can be believed is not met. */
export function figuresOf(measurements: Measurements): Figure[] {
  return LINES.flatMap(({ name, target, valueIn }) => {
    const value = valueIn(measurements);
    if (value === undefined) return [];
    return [
      {
        name,
        value: value === null ? null : round(value),
        target: `${target.sign} ${round(target.bound)}`,
        // Judged before it is rounded: 0.7996 is not 0.8.
        met: value !== null && reaches(value, target),
      },
    ];
  });
}

function reaches(value: number, { sign, bound }: Line['target']): boolean {
  if (sign === '>=') return value >= bound;
  return sign === '<=' ? value <= bound : value === bound;
}

/**
 * Made within each repeat and only then the median: what slows the machine for a while slows both sides of a pair, and
 * the ratio of two medians would not know that.
 */
function ratio(
  { cells }: Measurements,
  measure: (cell: Cell) => number | undefined,
  above: Workload,
  below: Workload,
): number | null | undefined {
  const dividends = cells.filter((cell) => isOf(cell, above));
  const divisors = cells.filter((cell) => isOf(cell, below));
  if (dividends.length === 0 || divisors.length === 0) return undefined;
  const ratios = dividends.flatMap((dividend) => {
    const divisor = divisors.find((cell) => cell.repeat === dividend.repeat);
    if (!divisor || dividend.void !== null || divisor.void !== null) return [];
    const [a, b] = [measure(dividend), measure(divisor)];
    return a === undefined || b === undefined || b === 0 ? [] : [a / b];
  });
  return median(ratios);
}

function isOf(cell: Cell, { guard, connections, events }: Workload): boolean {
  return cell.guard === guard && cell.connections === connections && cell.events === events;
}

/**
 * The median at the slowest number of replicas by that at the fastest one. (The repeats at one number follow one another,
 * so those of different numbers are no pairs.) A number without a believable repeat leaves nothing to be said.
 */
function worstToBest(sweeps: Measurements['sweeps']): number | null | undefined {
  if (sweeps.length === 0) return undefined;
  const rates = [...Map.groupBy(sweeps, ({ replicas }) => replicas).values()].map((steps) =>
    median(steps.filter((step) => step.void === null).map(speed)),
  );
  const measured = rates.filter((rate) => rate !== null);
  return measured.length < rates.length ? null : Math.min(...measured) / Math.max(...measured);
}

/** The number of tickets booked that is furthest from what it should be, in answers or in rows. */
function worstOf(rushes: readonly Rush[], expected: number): number {
  const distance = (booked: number): number => Math.abs(booked - expected);
  return rushes
    .flatMap(({ booked, rows }) => [booked, rows])
    .reduce((worst, booked) => (distance(booked) > distance(worst) ? booked : worst), expected);
}

function overBelievable<T extends { void: string | null }>(
  runs: readonly T[],
  valueOf: (runs: readonly T[]) => number | null,
): number | null | undefined {
  if (runs.length === 0) return undefined;
  const believable = runs.filter((run) => run.void === null);
  return believable.length === 0 ? null : valueOf(believable);
}
