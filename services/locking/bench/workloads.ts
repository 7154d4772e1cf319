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
  /**
   * Who was served asks again when all waiters of its process were served. If it asked again at once, a lock that
   * lets others sleep between two tries would be measured by one waiter that takes it over and over, a thousand
   * others notwithstanding.
   */
  readonly inRounds: boolean;
  /** How often each contender is measured in each repeat (with an empty section), in turn with all others. */
  readonly turns?: number;
  /** How long it runs before it is measured, how long it is, and how long those who still wait then are waited for. */
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly drainMs: number;
}

// Each contender gets the same time, and all of it together is about eight minutes: hundreds of grants where there are
// few waiters, and where there are a thousand, long enough to see how long those wait who wait longest.
const sectionsMs = [0, 2];
const short = { sectionsMs, warmUpMs: 80, windowMs: 250, drainMs: 300 };
const crowdOf16 = { processes: 4, waiters: 16, names: 1, warmUpMs: 100, windowMs: 350, drainMs: 500 };
const crowdOf250 = { processes: 4, waiters: 250, names: 1, warmUpMs: 250, windowMs: 900, drainMs: 1_200 };

export const workloads: readonly Workload[] = [
  {
    key: '1x1',
    title: '1 process × 1 waiter, one name',
    processes: 1,
    waiters: 1,
    names: 1,
    inRounds: false,
    ...short,
    // Here locks differ least from each other, and each of them the most from itself a moment ago.
    turns: 2,
  },
  {
    key: '4x1',
    title: '4 processes × 1 waiter, one name',
    processes: 4,
    waiters: 1,
    names: 1,
    inRounds: false,
    ...short,
  },
  {
    key: '4x16',
    title: '4 processes × 16 waiters, one name, in rounds',
    ...crowdOf16,
    inRounds: true,
    sectionsMs,
  },
  {
    key: '4x250',
    title: '4 processes × 250 waiters, one name, in rounds',
    ...crowdOf250,
    inRounds: true,
    sectionsMs,
  },
  // The same crowds, but whoever was served asks again at once.
  {
    key: '4x16-loop',
    title: '4 processes × 16 waiters, one name, each in a loop',
    ...crowdOf16,
    inRounds: false,
    sectionsMs: [0],
  },
  {
    key: '4x250-loop',
    title: '4 processes × 250 waiters, one name, each in a loop',
    ...crowdOf250,
    inRounds: false,
    sectionsMs: [0],
  },
  {
    key: '1000-names',
    title: '4 processes × 16 waiters, 1,000 names',
    processes: 4,
    waiters: 16,
    names: 1_000,
    inRounds: false,
    sectionsMs,
    warmUpMs: 100,
    windowMs: 300,
    drainMs: 300,
  },
  // Two who take turns: nothing happens but hand-overs, and all of them between processes.
  {
    key: 'hand-over',
    title: '2 processes × 1 waiter, one name',
    processes: 2,
    waiters: 1,
    names: 1,
    inRounds: false,
    sectionsMs: [2],
    warmUpMs: 100,
    windowMs: 350,
    drainMs: 300,
  },
];

/**
 * What every contender does before any of them is measured: all that it can do, often, in all processes; and in the one
 * that is measured alone, as often as the compiler takes to come to rest (some ten thousand times).
 */
export const warmUps: readonly Workload[] = [
  {
    key: 'warm-up',
    title: '4 processes × 16 waiters, 8 names',
    processes: 4,
    waiters: 16,
    names: 8,
    inRounds: false,
    sectionsMs: [0],
    warmUpMs: 0,
    windowMs: 500,
    drainMs: 300,
  },
  {
    key: 'warm-up-alone',
    title: '1 process × 1 waiter, one name',
    processes: 1,
    waiters: 1,
    names: 1,
    inRounds: false,
    sectionsMs: [0],
    warmUpMs: 0,
    windowMs: 3_000,
    drainMs: 0,
  },
];

/** How many waiters a process has in the measurement of what waiters cost, and how long hand-overs are timed. */
export const crowd = { key: 'crowd', few: 10, many: 10_000, windowMs: 150 } as const;
