/** Who waits for what. */
export interface Workload {
  /** As it is chosen by `--workload` and called in the JSON report. */
  readonly key: string;
  readonly title: string;
  readonly processes: number;
  /** In each process. */
  readonly waiters: number;
  readonly names: number;
  readonly sectionsMs: readonly number[];
  /** How long it is measured, and how long it runs before. */
  readonly windowMs: number;
  readonly warmUpMs: number;
}

// Each contender gets the same windows, so that all of them fit into four minutes: long enough for hundreds of grants,
// and where a thousand wait, for those who wait longest.
const sectionsMs = [0, 2];

export const workloads: readonly Workload[] = [
  {
    key: '1x1',
    title: '1 process × 1 waiter, one name',
    processes: 1,
    waiters: 1,
    names: 1,
    sectionsMs,
    windowMs: 300,
    warmUpMs: 100,
  },
  {
    key: '4x1',
    title: '4 processes × 1 waiter, one name',
    processes: 4,
    waiters: 1,
    names: 1,
    sectionsMs,
    windowMs: 300,
    warmUpMs: 100,
  },
  {
    key: '4x16',
    title: '4 processes × 16 waiters, one name',
    processes: 4,
    waiters: 16,
    names: 1,
    sectionsMs,
    windowMs: 500,
    warmUpMs: 150,
  },
  {
    key: '4x250',
    title: '4 processes × 250 waiters, one name',
    processes: 4,
    waiters: 250,
    names: 1,
    sectionsMs,
    windowMs: 1_200,
    warmUpMs: 300,
  },
  {
    key: '1000-names',
    title: '4 processes × 16 waiters, 1,000 names',
    processes: 4,
    waiters: 16,
    names: 1_000,
    sectionsMs,
    windowMs: 400,
    warmUpMs: 150,
  },
  // Two who take turns: nothing happens but hand-overs, and all of them between processes.
  {
    key: 'hand-over',
    title: '2 processes × 1 waiter, one name',
    processes: 2,
    waiters: 1,
    names: 1,
    sectionsMs: [2],
    windowMs: 400,
    warmUpMs: 100,
  },
];

/** What every contender does before any of them is measured: all that it can do, often, in all processes. */
export const warmUp: Workload = {
  key: 'warm-up',
  title: '4 processes × 16 waiters, 8 names',
  processes: 4,
  waiters: 16,
  names: 8,
  sectionsMs: [0],
  windowMs: 500,
  warmUpMs: 0,
};

/** How many waiters a process has in the measurement of what waiters cost. */
export const crowd = { key: 'crowd', few: 10, many: 10_000, windowMs: 200 } as const;
