import { isSame, type Cell, type Measurements, type Workload } from './measurements.ts';

/**
 * What bounds the sale of one hot event. Of a crowd of few, one half is being committed while the other half gathers, so
 * that no more than the crowd is booked in two commits, however fast the service is: the disk decides. Of a large crowd
 * the processors decide: then the no-op route tells what the stack itself can do, and a booking has to come near it.
 */

/** With so many connections the first bound is the lower one on most machines, with 512 the second. */
export const BOUNDED_CONNECTIONS = 64;

/** So much of the rate of the no-op route a booking is to reach where the processors decide. */
export const SHARE_OF_NOOP = 0.75;

export const BOUNDED: readonly Workload[] = [
  { guard: 'batched-update at home', connections: BOUNDED_CONNECTIONS, events: 1 },
  { guard: 'no-op', connections: BOUNDED_CONNECTIONS, events: 1 },
];

/** All of one repeat, in bookings per second. */
export interface Bounds {
  repeat: number;
  commitCycleMs: number;
  /** The crowd over two commit cycles. */
  byCommits: number;
  /** A share of the no-op route. */
  byCpu: number;
  booked: number;
}

/** One for each repeat in which all of it can be believed; undefined if the bench was not asked for it. */
export function boundsOf({
  cells,
  commitCycles,
}: Pick<Measurements, 'cells' | 'commitCycles'>): Bounds[] | undefined {
  const [sales, noops] = BOUNDED.map((workload) => cells.filter((cell) => isSame(cell, workload)));
  if (commitCycles.length === 0 || !sales?.length || !noops?.length) return undefined;
  return commitCycles.flatMap(({ repeat, ms: commitCycleMs }) => {
    const [sale, noop] = [believableOf(sales, repeat), believableOf(noops, repeat)];
    if (!sale || !noop) return [];
    return {
      repeat,
      commitCycleMs,
      byCommits: BOUNDED_CONNECTIONS / ((2 * commitCycleMs) / 1_000),
      byCpu: SHARE_OF_NOOP * noop.bookingsPerS,
      booked: sale.bookingsPerS,
    };
  });
}

function believableOf(cells: readonly Cell[], repeat: number): Cell | undefined {
  return cells.find((cell) => cell.repeat === repeat && cell.void === null);
}
