import { contenderOf, control } from './contenders.ts';
import { whyFailed } from './failures.ts';
import { whyVoid, type Measurement } from './measurement.ts';
import type { CrowdMeasurement, Results } from './results.ts';
import { spread } from './statistics.ts';

/** One thing that the lock has to reach. */
export interface Figure {
  name: string;
  /** Median of the repeats; null where it was not measured, or where our lock failed or was no lock. */
  value: number | null;
  /** Over the repeats. */
  min: number | null;
  max: number | null;
  target: string;
  /** Null where it was not measured. */
  met: boolean | null;
}

/** One value for each repeat; void if one of the runs behind them was. */
type Values = readonly number[] | 'void';

type Quantity = (run: Measurement) => number;

/** Which of several is the best: the largest or the smallest. */
type Best = (...values: number[]) => number;

type Target = { atLeast: number } | { atMost: number };

/**
 * All of them are judged with an empty critical section, where nothing but the lock takes time, and all ratios are
 * taken within one repeat, beside the peer that is best by its median over all repeats. (The best of each repeat would be
 * whoever was lucky in it.)
 */
export function figuresOf(results: Results): Figure[] {
  const { perRun, besideBestPeer, perCrowd, perCrowdOf, perHandOver } = valuesOf(results);

  function timesBestPeer(contender: string, workload: string): Values {
    return besideBestPeer(contender, workload, rate, Math.max);
  }

  /** How many a crowd is served, and how long the last of them waits, beside whichever peer does best in each. */
  function crowd(name: string, contender: string, workload: string, limits: { rate: number; p99: number }) {
    return [
      figure(
        `${name}: grants/s, times those of the best peer`,
        { atLeast: limits.rate },
        timesBestPeer(contender, workload),
      ),
      figure(
        `${name}: wait p99, as a part of that of the best peer`,
        { atMost: limits.p99 },
        besideBestPeer(contender, workload, p99, Math.min),
      ),
    ];
  }

  return [
    ...crowd('4 x 250', 'queue', '4x250', { rate: 30, p99: 1 / 30 }),
    ...crowd('4 x 250, each in a loop', 'queue', '4x250-loop', { rate: 30, p99: 1 / 30 }),
    figure(
      '4 x 250: Jain index over waiters',
      { atLeast: 0.99 },
      perRun('queue', '4x250', (ours) => ours.jain),
    ),
    figure(
      '4 x 250: round trips per grant',
      { atMost: 0.1 },
      perRun('queue', '4x250', (ours) => ours.tripsPerGrant),
    ),
    ...crowd('4 x 16, no coalescing', 'queue-uncoalesced', '4x16', { rate: 1, p99: 1 / 5 }),
    ...crowd('4 x 16, no coalescing, each in a loop', 'queue-uncoalesced', '4x16-loop', {
      rate: 1,
      p99: 1 / 5,
    }),
    figure(
      'one waiter: grants/s, times those of the fastest peer',
      { atLeast: 1 },
      timesBestPeer('queue', '1x1'),
    ),
    figure(
      'one waiter: round trips per grant',
      // Two, and what a sign of life now and then adds to the average.
      { atMost: 2.05 },
      perRun('queue', '1x1', (ours) => ours.tripsPerGrant),
    ),
    figure(
      '1,000 names: grants/s, times those of the fastest peer',
      { atLeast: 1 },
      timesBestPeer('queue', '1000-names'),
    ),
    figure(
      'hand-over between processes: p50, times two bare round trips',
      { atMost: 1.5 },
      perHandOver('queue'),
    ),
    figure(
      '10,000 waiters: bytes of Redis for each, with or without coalescing',
      { atMost: 1_024 },
      perCrowd((crowd) => crowd.redisBytesPerWaiter),
    ),
    figure(
      '10,000 waiters: bytes of heap for each, with or without coalescing',
      { atMost: 2_048 },
      perCrowd((crowd) => crowd.heapBytesPerWaiter),
    ),
    // "The same": two measurements of the same thing on a busy machine differ by as much as a quarter.
    figure(
      '10,000 waiters: p50 of a hand-over by Redis, times that with 10',
      { atMost: 1.25 },
      perCrowdOf('queue-uncoalesced', growth),
    ),
    figure(
      '10,000 waiters: p50 of a pass within the process, times that with 10, over the same of bare promises',
      // A pass takes a microsecond, of which the memory of ten thousand of anything is a good part: see the control.
      { atMost: 1.25 },
      perCrowdOf('queue', (crowd, bare) => growth(crowd) / growth(bare)),
    ),
  ];
}

function rate(run: Measurement): number {
  return run.grantsPerSecond;
}

function p99(run: Measurement): number {
  return run.waitMs.p99;
}

/** What a thousand times the waiters make of a hand-over: 1 is no difference. */
function growth({ handOverManyP50Ms, handOverFewP50Ms }: CrowdMeasurement): number {
  return handOverManyP50Ms / handOverFewP50Ms;
}

/** What there is to a figure in each repeat. */
function valuesOf(results: Results) {
  const broken = new Set(results.runs.filter(whyVoid).map(({ contender }) => contender));
  const runs = results.runs.filter((run) => run.workload === 'hand-over' || run.sectionMs === 0);
  // A peer loses the runs in which it was no lock. Ours has no figures then, however good its other runs were.
  const peerRuns = runs.filter((run) => contenderOf(run.contender).isPeer && whyVoid(run) === null);

  function perRun(contender: string, workload: string, value: Quantity): Values {
    if (broken.has(contender)) return 'void';
    return runs.filter((run) => run.contender === contender && run.workload === workload).map(value);
  }

  return {
    perRun,
    besideBestPeer(contender: string, workload: string, quantity: Quantity, best: Best): Values {
      const peers = Map.groupBy(
        peerRuns.filter((run) => run.workload === workload),
        (run) => run.contender,
      );
      const standings = [...peers.values()]
        .map((runs) => ({ runs, value: spread(runs.map(quantity)).median }))
        .filter(({ value }) => !Number.isNaN(value));
      const bestValue = best(...standings.map(({ value }) => value));
      const bestPeer = standings.find(({ value }) => value === bestValue)?.runs ?? [];
      return perRun(contender, workload, (ours) => {
        const theirs = bestPeer.find(({ repeat }) => repeat === ours.repeat);
        return theirs === undefined ? Number.NaN : quantity(ours) / quantity(theirs);
      });
    },
    perHandOver: (contender: string): Values =>
      perRun(contender, 'hand-over', (ours) => {
        const bare = results.bareTrips.find(({ repeat }) => repeat === ours.repeat);
        return ours.handOverMs.between.p50 / (bare?.p50Ms ?? Number.NaN);
      }),
    /** The worse of the two ways in which the queue lock can be set up, which both have to keep to it. */
    perCrowd: (value: (crowd: CrowdMeasurement) => number): Values => {
      const ours = results.crowds.filter(
        ({ contender }) => contender !== control.key && contenderOf(contender).standsInLine,
      );
      if (ours.some((crowd) => whyFailed(crowd) !== null)) return 'void';
      const byRepeat = Map.groupBy(ours, ({ repeat }) => repeat);
      return [...byRepeat.values()].map((crowds) => Math.max(...crowds.map(value)));
    },
    /** One of them, beside the bare promises of the same repeat. */
    perCrowdOf: (
      contender: string,
      value: (ours: CrowdMeasurement, bare: CrowdMeasurement) => number,
    ): Values => {
      const ours = results.crowds.filter((crowd) => crowd.contender === contender);
      if (ours.some((crowd) => whyFailed(crowd) !== null)) return 'void';
      return ours.flatMap((crowd) => {
        const isBeside = (other: CrowdMeasurement): boolean =>
          other.contender === control.key && other.repeat === crowd.repeat;
        const bare = results.crowds.find(isBeside);
        return bare === undefined ? [] : [value(crowd, bare)];
      });
    },
  };
}

function figure(name: string, target: Target, values: Values): Figure {
  const isVoid = values === 'void';
  const { median, min, max } = spread(isVoid ? [] : values);
  const isMet = 'atLeast' in target ? median >= target.atLeast : median <= target.atMost;
  return {
    name,
    value: known(median),
    min: known(min),
    max: known(max),
    target: 'atLeast' in target ? `>= ${short(target.atLeast)}` : `<= ${short(target.atMost)}`,
    met: Number.isNaN(median) && !isVoid ? null : isMet,
  };
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function short(limit: number): string {
  return limit > 0 && limit < 0.1 ? `1/${Math.round(1 / limit)}` : String(limit);
}
