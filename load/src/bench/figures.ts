import { countedFigure, slicedFigure, type Figure, type Target } from '@lastseat/lab-frame/figures/figure.ts';
import { median } from '@lastseat/lab-frame/statistics.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { BOUNDED, boundsOf, SHARE_OF_NOOP } from './bounds.ts';
import {
  HOLDS,
  isSame,
  KEYED,
  LIMITED,
  type Cell,
  type GuardName,
  type Measurements,
  type Rush,
  type SweepStep,
  type Workload,
} from './measurements.ts';

const CONNECTIONS = 64;
const hot = (guard: GuardName, connections = CONNECTIONS): Workload => ({ guard, connections, events: 1 });
const spread = (guard: GuardName): Workload => ({ guard, connections: CONNECTIONS, events: 1_000 });
const speed = (cell: Cell): number => cell.bookingsPerS;
const slowest = (cell: Cell): number | undefined => cell.latencyMs?.p99;

/** As good as the other one: what differs by less than a tenth differs by less than one day from the next. */
const AS_GOOD = { atLeast: 0.9 };

/** One guard beside another one, or beside itself under another load. */
interface Comparison {
  name: string;
  target: Target;
  quantity: (cell: Cell) => number | undefined;
  above: Workload;
  below: Workload;
}

const COMPARISONS: readonly Comparison[] = [
  {
    name: 'batched-update at home / no-op route: answers/s at 512 connections',
    target: { atLeast: SHARE_OF_NOOP },
    quantity: speed,
    above: hot('batched-update at home', 512),
    below: hot('no-op', 512),
  },
  ...[64, 512].flatMap((connections) => [
    {
      name: `holds / bookings, both at home: answers/s at ${connections} connections`,
      target: { atLeast: 0.9 },
      quantity: speed,
      above: hot(HOLDS, connections),
      below: hot('batched-update at home', connections),
    },
    {
      name: `bookings with / without an idempotency key, both at home: answers/s at ${connections} connections`,
      target: { atLeast: 0.85 },
      quantity: speed,
      above: hot(KEYED, connections),
      below: hot('batched-update at home', connections),
    },
    {
      name: `bookings with / without a limit per customer, both at home: answers/s at ${connections} connections`,
      target: { atLeast: 0.75 },
      quantity: speed,
      above: hot(LIMITED, connections),
      below: hot('batched-update at home', connections),
    },
  ]),
  {
    name: 'batched-update / atomic-update: bookings/s at 64 connections',
    target: { atLeast: 5 },
    quantity: speed,
    above: hot('batched-update'),
    below: hot('atomic-update'),
  },
  {
    name: 'batched-update / simple-lock: bookings/s at 64 connections',
    target: { atLeast: 12 },
    quantity: speed,
    above: hot('batched-update'),
    below: hot('simple-lock'),
  },
  {
    name: 'batched-update / batched-lock: bookings/s at 64 connections',
    target: AS_GOOD,
    quantity: speed,
    above: hot('batched-update'),
    below: hot('batched-lock'),
  },
  {
    name: 'batched-update / atomic-update: p99 at 64 connections',
    target: { atMost: 1 / 3 },
    quantity: slowest,
    above: hot('batched-update'),
    below: hot('atomic-update'),
  },
  {
    name: 'batched-update: bookings/s at 512 / at 64 connections',
    target: { atLeast: 1 },
    quantity: speed,
    above: hot('batched-update', 512),
    below: hot('batched-update'),
  },
  {
    name: 'batched-update / atomic-update: bookings/s on 1,000 events',
    target: { atLeast: 0.8 },
    quantity: speed,
    above: spread('batched-update'),
    below: spread('atomic-update'),
  },
];

/** What has to be measured side by side, in an order that keeps pairs together. */
export function comparedWorkloads(): Workload[] {
  const sides = [...BOUNDED, ...COMPARISONS.flatMap(({ above, below }) => [above, below])];
  return sides.filter((side, index) => sides.findIndex((other) => isSame(other, side)) === index);
}

/** One entry for each thing that the bench has measured, in this order. */
export function figuresOf(measurements: Measurements): Figure[] {
  const { cells, rushes, sweeps, exactness, comparisons } = measurements;
  return [
    ...comparedFigures(comparisons),
    ...figures(boundsOf(measurements), (bounds) =>
      slicedFigure(
        'batched-update at home: bookings/s at 64 connections / what commits and CPU allow',
        { atLeast: 0.9 },
        bounds.map(({ booked, byCommits, byCpu }) => booked / Math.min(byCommits, byCpu)),
      ),
    ),
    ...COMPARISONS.flatMap(({ name, target, quantity, above, below }) =>
      figures(ratios(cells, quantity, above, below), (slices) => slicedFigure(name, target, slices)),
    ),
    ...figures(believable(rushes), (rushes) =>
      countedFigure('10,000 buyers for one ticket: tickets booked', 1, rushes.map(worstCount)),
    ),
    ...figures(believable(rushes), (rushes) =>
      slicedFigure(
        '10,000 buyers for one ticket: refusals/s / no-op route',
        { atLeast: 0.8 },
        rushes.map((rush) => rush.refusalsPerS / rush.noopPerS),
      ),
    ),
    ...figures(worstBesideBest(sweeps.filter(({ guard }) => guard === 'batched-update at home')), (slices) =>
      slicedFigure(
        'batched-update at home: bookings/s at worst / best of 1 to 8 replicas',
        { atLeast: 0.85 },
        slices,
      ),
    ),
    ...figures(believable(exactness.filter(({ guarantee }) => guarantee === 'always')), (runs) =>
      countedFigure(
        'tickets oversold in a run, by guards that promise never to',
        0,
        runs.map(({ oversold }) => oversold),
      ),
    ),
    ...figures(believable(exactness), (runs) =>
      countedFigure(
        'tickets undersold in a run, by any guard',
        0,
        runs.map(({ undersold }) => undersold),
      ),
    ),
  ];
}

/** One guard beside the other, at each number of replicas and under each load. */
function comparedFigures(steps: readonly SweepStep[]): Figure[] {
  const loads = Map.groupBy(steps, ({ guard, connections, replicas }) =>
    [
      guard.endsWith(' at home') ? 'at home' : 'spread',
      count(connections, 'connection'),
      count(replicas, 'replica'),
    ].join(', '),
  );
  return [...loads].flatMap(([load, steps]) => {
    const [first, second] = new Set(steps.map(({ guard }) => guard));
    const of = (wanted: GuardName | undefined) => steps.filter(({ guard }) => guard === wanted);
    const [name, otherName] = [first, second].map((guard) => guard?.replace(' at home', ''));
    return figures(pairs(of(first), of(second), speed), (slices) =>
      slicedFigure(`${name} / ${otherName}: bookings/s ${load}`, AS_GOOD, slices),
    );
  });
}

/** No figure of what was not measured at all. */
function figures<T>(values: readonly T[] | undefined, of: (values: readonly T[]) => Figure): Figure[] {
  return values === undefined ? [] : [of(values)];
}

/** One for each repeat; undefined if the bench was not asked for one of the two. */
function ratios(
  cells: readonly Cell[],
  quantity: (cell: Cell) => number | undefined,
  above: Workload,
  below: Workload,
): number[] | undefined {
  const dividends = cells.filter((cell) => isSame(cell, above));
  const divisors = cells.filter((cell) => isSame(cell, below));
  if (dividends.length === 0 || divisors.length === 0) return undefined;
  return pairs(dividends, divisors, quantity);
}

/** What slows the machine for a while slows both sides of a pair. One of which a side is void is none. */
function pairs(
  dividends: readonly Cell[],
  divisors: readonly Cell[],
  quantity: (cell: Cell) => number | undefined,
): number[] {
  return dividends.flatMap((dividend) => {
    const divisor = divisors.find((cell) => cell.repeat === dividend.repeat);
    if (!divisor || dividend.void !== null || divisor.void !== null) return [];
    const [a, b] = [quantity(dividend), quantity(divisor)];
    return a === undefined || b === undefined || b === 0 ? [] : [a / b];
  });
}

/**
 * The number of replicas that is slowest by its median beside the one that is fastest, in each repeat. (The slowest and
 * the fastest of each repeat would be whatever had bad and good luck in it.) A number without a believable repeat leaves
 * nothing to be said.
 */
function worstBesideBest(sweeps: readonly SweepStep[]): number[] | undefined {
  if (sweeps.length === 0) return undefined;
  const numbers = [...Map.groupBy(sweeps, ({ replicas }) => replicas).values()];
  const ranked = numbers
    .map((steps) => ({ steps, rate: median(steps.filter(({ void: fault }) => fault === null).map(speed)) }))
    .sort((a, b) => (a.rate ?? 0) - (b.rate ?? 0));
  if (ranked.some(({ rate }) => rate === null)) return [];
  // Numbers that were measured one after the other are no pairs: the ratio of their medians is one value, not several.
  if (!sweeps.every(({ isInterleaved }) => isInterleaved)) {
    return [(ranked.at(0)?.rate ?? Number.NaN) / (ranked.at(-1)?.rate ?? Number.NaN)];
  }
  return pairs(ranked.at(0)?.steps ?? [], ranked.at(-1)?.steps ?? [], speed);
}

/** The number of tickets booked that is further from one, in answers or in rows. */
function worstCount({ booked, rows }: Rush): number {
  return Math.abs(booked - 1) > Math.abs(rows - 1) ? booked : rows;
}

function believable<T extends { void: string | null }>(runs: readonly T[]): T[] | undefined {
  return runs.length === 0 ? undefined : runs.filter((run) => run.void === null);
}
