import { slicedFigure, type Figure, type Slices, type Target } from '@lastseat/lab-frame/figures/figure.ts';
import { median } from '@lastseat/lab-frame/statistics.ts';

import { contenderOf, control } from './contenders.ts';
import { whyFailed } from './failures.ts';
import { whyVoid, type Measurement } from './measurement.ts';
import type { CrowdMeasurement, Results } from './results.ts';

type Quantity = (run: Measurement) => number;

/** Something that one of our locks has to reach with one workload, by itself or beside the best of the peers. */
interface FigureRow {
  name: string;
  target: Target;
  ours: string;
  workload: string;
  quantity: Quantity;
  /** Which peer is the best one: that with the most or the least of it. None: the lock is judged by itself. */
  bestPeerHas?: 'most' | 'least';
}

const rate: Quantity = (run) => run.grantsPerSecond;
const p99: Quantity = (run) => run.waitMs.p99;

interface Crowd {
  readonly name: string;
  readonly ours: string;
  readonly workload: string;
}

/** How many of a crowd get the lock, beside the peer that does best in that. */
function crowdRate({ name, ours, workload }: Crowd, atLeast: number): FigureRow {
  return {
    name: `${name}: grants/s, times those of the best peer`,
    target: { atLeast },
    ours,
    workload,
    quantity: rate,
    bestPeerHas: 'most',
  };
}

/** How long the last of a crowd waits, beside the peer that does best in that. */
function crowdWait({ name, ours, workload }: Crowd, atMost: number): FigureRow {
  return {
    name: `${name}: wait p99, as a part of that of the best peer`,
    target: { atMost },
    ours,
    workload,
    quantity: p99,
    bestPeerHas: 'least',
  };
}

const rounds: Crowd = { name: '4 x 250', ours: 'queue', workload: '4x250' };
const loops: Crowd = { name: '4 x 250, each in a loop', ours: 'queue', workload: '4x250-loop' };
const alone: Crowd = { name: '4 x 16, no coalescing', ours: 'queue-uncoalesced', workload: '4x16' };
const aloneLoops: Crowd = {
  name: '4 x 16, no coalescing, each in a loop',
  ours: 'queue-uncoalesced',
  workload: '4x16-loop',
};

/** All of them are judged with an empty critical section, where nothing but the lock takes time. */
const figureRows: readonly FigureRow[] = [
  crowdRate(rounds, 100),
  crowdWait(rounds, 1 / 30),
  crowdRate(loops, 15),
  crowdWait(loops, 1 / 30),
  {
    name: '4 x 250: Jain index over waiters',
    target: { atLeast: 0.99 },
    ours: 'queue',
    workload: '4x250',
    quantity: (run) => run.jain,
  },
  {
    name: '4 x 250: round trips per grant',
    target: { atMost: 0.1 },
    ours: 'queue',
    workload: '4x250',
    quantity: (run) => run.tripsPerGrant,
  },
  // Without coalescing a fair lock goes from process to process with each grant, and an unfair one need not: whoever has it
  // takes it again. So waits are judged here, and rates are not.
  crowdWait(alone, 1 / 5),
  crowdWait(aloneLoops, 1 / 5),
  {
    name: 'one waiter: grants/s, times those of the fastest peer',
    target: { atLeast: 0.8 },
    ours: 'queue',
    workload: '1x1',
    quantity: rate,
    bestPeerHas: 'most',
  },
  {
    name: 'one waiter: round trips per grant',
    // Two, and what a sign of life now and then adds to the average.
    target: { atMost: 2.05 },
    ours: 'queue',
    workload: '1x1',
    quantity: (run) => run.tripsPerGrant,
  },
  {
    name: '1,000 names: grants/s, times those of the fastest peer',
    target: { atLeast: 0.7 },
    ours: 'queue',
    workload: '1000-names',
    quantity: rate,
    bestPeerHas: 'most',
  },
];

const handOver = { ours: 'queue', workload: 'hand-over' };

/** One entry for each thing that the bench has measured. */
export function figuresOf(results: Results): Figure[] {
  return [
    ...figureRows.flatMap((row) => figure(row.name, row.target, slicesOf(results, row))),
    ...figure(
      'hand-over between processes: p50, times two bare round trips',
      { atMost: 1.5 },
      handOverSlices(results),
    ),
    ...figure(
      '10,000 waiters: bytes of Redis for each, with or without coalescing',
      { atMost: 1_024 },
      worstCrowdSlices(results, (crowd) => crowd.redisBytesPerWaiter),
    ),
    ...figure(
      '10,000 waiters: bytes of heap for each, with or without coalescing',
      { atMost: 2_048 },
      worstCrowdSlices(results, (crowd) => crowd.heapBytesPerWaiter),
    ),
    // "The same": two measurements of the same thing on a busy machine differ by as much as a quarter.
    ...figure(
      '10,000 waiters: p50 of a hand-over by Redis, times that with 10',
      { atMost: 1.25 },
      crowdSlices(results, 'queue-uncoalesced', growth),
    ),
    ...figure(
      '10,000 waiters: p50 of a pass within the process, times that with 10, over the same of bare promises',
      // A pass takes a microsecond, of which the memory of ten thousand of anything is a good part: see the control.
      { atMost: 1.25 },
      crowdSlices(results, 'queue', (crowd, bare) => growth(crowd) / growth(bare)),
    ),
  ];
}

/**
 * Whoever has to be measured once more with this workload for the figures made of it: those of our locks that it judges,
 * and the peers that are the best so far.
 */
export function judgedWith(workload: string, results: Results): string[] {
  const rows = figureRows.filter((row) => row.workload === workload);
  const ours = [...rows, handOver].filter((row) => row.workload === workload).map((row) => row.ours);
  const peers = rows.flatMap((row) => bestPeer(results, row)?.contender ?? []);
  return [...new Set([...ours, ...peers])];
}

/** A figure of what was not measured at all is none. */
function figure(name: string, target: Target, slices: Slices): Figure[] {
  return slices !== 'failed' && slices.length === 0 ? [] : [slicedFigure(name, target, slices)];
}

/** Ours have no figures if they were no lock, or failed, even once, however good their other runs were. */
function runsOfOurs({ runs }: Results, ours: string, workload: string): Measurement[] | 'failed' {
  const all = runs.filter((run) => run.contender === ours);
  if (all.some((run) => whyVoid(run) !== null)) return 'failed';
  return all.filter((run) => run.workload === workload && isJudged(run));
}

function isJudged({ workload, sectionMs }: Measurement): boolean {
  return workload === handOver.workload || sectionMs === 0;
}

/** One for each repeat; beside a peer, as a part of what that one has in the same repeat. */
function slicesOf(results: Results, row: FigureRow): Slices {
  const ours = runsOfOurs(results, row.ours, row.workload);
  if (ours === 'failed') return ours;
  if (row.bestPeerHas === undefined) return ours.map(row.quantity);
  const theirs = bestPeer(results, row)?.runs ?? [];
  return ours.flatMap((run) => {
    const beside = theirs.find(({ repeat }) => repeat === run.repeat);
    return beside === undefined ? [] : [row.quantity(run) / row.quantity(beside)];
  });
}

interface Peer {
  contender: string;
  runs: Measurement[];
}

/**
 * The one that is best by its median of the repeats in which all peers were measured. (The best of each repeat would be
 * whoever was lucky in it.) In later repeats it is the only one that is measured beside ours, so its luck in the first
 * ones does not count there. A peer loses the runs in which it was no lock.
 */
function bestPeer({ runs }: Results, { workload, quantity, bestPeerHas }: FigureRow): Peer | undefined {
  if (bestPeerHas === undefined) return undefined;
  const sound = runs
    .filter((run) => run.workload === workload && isJudged(run))
    .filter((run) => contenderOf(run.contender).isPeer && whyVoid(run) === null);
  const peers = [...Map.groupBy(sound, ({ contender }) => contender)].map(([contender, runs]) => ({
    contender,
    runs,
  }));
  const common = peers.reduce((all, { runs }) => all.intersection(repeatsOf(runs)), repeatsOf(sound));
  const sign = bestPeerHas === 'most' ? 1 : -1;
  const standing = ({ runs }: Peer): number => {
    const values = runs.filter(({ repeat }) => common.has(repeat)).map(quantity);
    return sign * (median(values.filter((value) => !Number.isNaN(value))) ?? Number.NEGATIVE_INFINITY);
  };
  return peers.toSorted((a, b) => standing(b) - standing(a))[0];
}

function repeatsOf(runs: readonly Measurement[]): Set<number> {
  return new Set(runs.map(({ repeat }) => repeat));
}

function handOverSlices(results: Results): Slices {
  const ours = runsOfOurs(results, handOver.ours, handOver.workload);
  if (ours === 'failed') return ours;
  return ours.map((run) => {
    const bare = results.bareTrips.find(({ repeat }) => repeat === run.repeat);
    return run.handOverMs.between.p50 / (bare?.p50Ms ?? Number.NaN);
  });
}

/** The worse of the two ways in which the queue lock can be set up, which both have to keep to it. */
function worstCrowdSlices({ crowds }: Results, quantity: (crowd: CrowdMeasurement) => number): Slices {
  const ours = crowds.filter(({ contender }) => contender !== control.key && contenderOf(contender).hasQueue);
  if (ours.some((crowd) => whyFailed(crowd) !== null)) return 'failed';
  const byRepeat = Map.groupBy(ours, ({ repeat }) => repeat);
  return [...byRepeat.values()].map((crowds) => Math.max(...crowds.map(quantity)));
}

/** One of them, beside the bare promises of the same repeat. */
function crowdSlices(
  { crowds }: Results,
  contender: string,
  quantity: (ours: CrowdMeasurement, bare: CrowdMeasurement) => number,
): Slices {
  const ours = crowds.filter((crowd) => crowd.contender === contender);
  if (ours.some((crowd) => whyFailed(crowd) !== null)) return 'failed';
  return ours.flatMap((crowd) => {
    const isBeside = (other: CrowdMeasurement): boolean =>
      other.contender === control.key && other.repeat === crowd.repeat;
    const bare = crowds.find(isBeside);
    return bare === undefined ? [] : [quantity(crowd, bare)];
  });
}

/** What a thousand times the waiters make of a hand-over: 1 is no difference. */
function growth({ handOverManyP50Ms, handOverFewP50Ms }: CrowdMeasurement): number {
  return handOverManyP50Ms / handOverFewP50Ms;
}
